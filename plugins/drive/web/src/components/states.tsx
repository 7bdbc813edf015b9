import { CircleAlert, LoaderCircle } from "lucide-react";
import type { ReactNode } from "react";
import { t } from "@/i18n";
import { explain } from "@/lib/explain";

export function Waiting() {
  return (
    <div className="flex h-full min-h-40 items-center justify-center text-muted" role="status">
      <LoaderCircle className="animate-spin" aria-hidden />
      <span className="sr-only">{t("loading")}</span>
    </div>
  );
}

export function Failed({ error, again }: { error: unknown; again: () => void }) {
  return (
    <div className="flex min-h-40 flex-col items-center justify-center gap-3 p-6 text-center" role="alert">
      <CircleAlert className="text-bad" aria-hidden />
      <p>{explain(error)}</p>
      <button type="button" className="button" onClick={again}>
        {t("again")}
      </button>
    </div>
  );
}

export function Empty({ icon, title, children }: { icon: ReactNode; title: string; children?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-2 px-6 py-16 text-center">
      <div className="mb-2 flex size-16 items-center justify-center rounded-2xl bg-accent text-accent-foreground">{icon}</div>
      <h2 className="text-lg font-semibold">{title}</h2>
      <div className="max-w-sm text-muted">{children}</div>
    </div>
  );
}
