import { BellOff } from "lucide-react";
import { More } from "@/components/more";
import { Empty, Failed, Waiting } from "@/components/states";
import { Title } from "@/components/title";
import { complain } from "@/components/toast";
import { t } from "@/i18n";
import { call } from "@/lib/api";
import { when, whole } from "@/lib/format";
import { client, useFeatures, useNotices } from "@/lib/queries";
import { go, link } from "@/lib/route";
import type { FileItem, Me, Notice } from "@/lib/types";

async function read(what: { ids: string[] } | { all: true }): Promise<void> {
  await call("POST", "/notifications/mark-read", { json: what });
  await client.invalidateQueries({ queryKey: ["notices"] });
}

/** To the file that a notice is about, over its folder where that may be seen. */
async function find(id: string): Promise<void> {
  const file = await call<FileItem>("GET", `/files/${id}`);
  const mine = client.getQueryData<Me>(["me"])?.id === file.owner_id;
  if (file.folder_id) {
    const around = await call("GET", `/folders/${file.folder_id}`).then(
      () => true,
      () => false,
    );
    if (around) return go(link("files", file.folder_id, { file: id }));
  }
  return go(link(mine ? "files" : "shared", undefined, { file: id }));
}

export default function NoticesPage() {
  const { notifications } = useFeatures();
  const notices = useNotices(notifications);
  const open = (notice: Notice) => {
    if (!notice.read_at) read({ ids: [notice.id] }).catch(complain);
    if (notice.subject?.type === "folder") go(link("files", notice.subject.id));
    else if (notice.subject?.type === "file") void find(notice.subject.id).catch(complain);
  };
  return (
    <>
      <Title
        actions={
          (notices.data?.unread ?? 0) > 0 && (
            <button type="button" className="button" onClick={() => void read({ all: true }).catch(complain)}>
              {t("all_read")}
            </button>
          )
        }
      >
        {t("notifications")}
      </Title>
      {notices.isError ? (
        <Failed error={notices.error} again={() => void notices.refetch()} />
      ) : notices.data ? (
        notices.data.items.length > 0 ? (
          <ul className="px-2 md:px-4" aria-label={t("notifications")}>
            {notices.data.items.map((notice) => (
              <li key={notice.id}>
                <button type="button" className="flex w-full items-start gap-3 rounded-xl px-3 py-3 text-left hover:bg-raised" onClick={() => open(notice)}>
                  <span className={`mt-2 size-2 shrink-0 rounded-full ${notice.read_at ? "bg-border" : "bg-primary"}`} aria-hidden />
                  <span className="min-w-0 flex-1">
                    <span className={`block [overflow-wrap:anywhere] ${notice.read_at ? "" : "font-semibold"}`}>
                      {notice.title}
                      {!notice.read_at && <span className="sr-only"> ({t("unread")})</span>}
                    </span>
                    <time className="text-sm text-muted" dateTime={notice.created_at} title={whole(notice.created_at)}>
                      {when(notice.created_at)}
                    </time>
                  </span>
                </button>
              </li>
            ))}
          </ul>
        ) : (
          <Empty icon={<BellOff size={30} aria-hidden />} title={t("no_notifications")}>
            {t("no_notifications_text")}
          </Empty>
        )
      ) : (
        <Waiting />
      )}
      <More on={notices.hasNextPage && !notices.isFetchNextPageError} more={() => void notices.fetchNextPage()} />
    </>
  );
}
