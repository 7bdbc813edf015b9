import { t } from "@/i18n";
import { bytes } from "@/lib/format";
import { useQuota } from "@/lib/queries";

export function QuotaBar() {
  const { data } = useQuota();
  if (!data) return null;
  const { used_bytes: used, limit_bytes: limit } = data;
  if (limit === null) return <p className="text-sm text-muted">{t("quota_used", { used: bytes(used) })}</p>;
  const part = limit === 0 ? 1 : Math.min(1, used / limit);
  return (
    <div className="text-sm">
      <meter className={`bar block h-2 w-full ${part > 0.9 ? "bar-bad" : ""}`} min={0} max={1} value={part} aria-label={t("quota")} />
      <p className="mt-1.5 text-muted">{t("quota_of", { used: bytes(used), limit: bytes(limit) })}</p>
    </div>
  );
}
