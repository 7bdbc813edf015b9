import { Users } from "lucide-react";
import { useState } from "react";
import { useActions } from "@/components/actions";
import { Entries } from "@/components/entries";
import { More } from "@/components/more";
import { Empty, Failed, Waiting } from "@/components/states";
import { Title } from "@/components/title";
import { type Key, t } from "@/i18n";
import { useFeatures, useShared } from "@/lib/queries";
import { type Entry, type Role, fileEntry, folderEntry } from "@/lib/types";
import { useLooking } from "@/preview/looking";

const labels: Record<Role, Key> = { viewer: "role_viewer", editor: "role_editor", admin: "role_admin" };

export default function SharedPage() {
  const shared = useShared();
  const features = useFeatures();
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const { look, preview } = useLooking(shared.data?.files ?? []);
  const { actions, dialog } = useActions({ tags: features.search, openFile: (entry) => look(entry.id) });
  const entries: Entry[] = shared.data ? [...shared.data.folders.map(folderEntry), ...shared.data.files.map(fileEntry)] : [];
  const detail = (entry: Entry) => {
    const role = entry.kind === "file" ? entry.file.role : entry.folder.role;
    return role ? t(labels[role]) : null;
  };
  return (
    <>
      <Title>{t("shared_with_me")}</Title>
      {shared.isError ? (
        <Failed error={shared.error} again={() => void shared.refetch()} />
      ) : shared.data ? (
        entries.length > 0 ? (
          <Entries entries={entries} view="list" actions={{ choices: actions.choices, open: actions.open }} chosen={chosen} choose={choose} detail={detail} label={t("shared_with_me")} />
        ) : (
          <Empty icon={<Users size={30} aria-hidden />} title={t("nothing_shared")}>
            {t("nothing_shared_text")}
          </Empty>
        )
      ) : (
        <Waiting />
      )}
      <More on={shared.hasNextPage && !shared.isFetchNextPageError} more={() => void shared.fetchNextPage()} />
      {dialog}
      {preview}
    </>
  );
}
