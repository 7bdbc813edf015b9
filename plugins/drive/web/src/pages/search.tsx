import { SearchX, Tag } from "lucide-react";
import { useState } from "react";
import { useActions } from "@/components/actions";
import { Entries } from "@/components/entries";
import { Marked } from "@/components/marked";
import { More } from "@/components/more";
import { Empty, Failed, Waiting } from "@/components/states";
import { Title } from "@/components/title";
import { t } from "@/i18n";
import { useFeatures, useSearch } from "@/lib/queries";
import { go, link, useRoute } from "@/lib/route";
import { type Entry, fileEntry } from "@/lib/types";
import { useLooking } from "@/preview/looking";

export default function SearchPage() {
  const { query } = useRoute();
  const q = query.get("q") ?? "";
  const tag = query.get("tag") ?? "";
  const features = useFeatures();
  const found = useSearch(q, tag, features.search);
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const files = (found.data?.pages ?? []).flatMap((page) => page.items);
  const { look, preview } = useLooking(files);
  const { actions, dialog } = useActions({ tags: features.search, openFile: (entry) => look(entry.id) });
  const tags = found.data?.pages[0]?.facets?.tags ?? [];
  return (
    <>
      <Title>{tag && !q ? t("tagged", { tag }) : t("found_for", { q })}</Title>
      {(tag || tags.length > 0) && (
        <ul className="flex flex-wrap gap-2 px-4 pb-2 md:px-6" aria-label={t("tags")}>
          {tag && (
            <li>
              <button type="button" className="chip py-1" aria-pressed="true" onClick={() => go(q ? link("search", undefined, { q }) : link("files"))}>
                <Tag size={14} aria-hidden />
                {tag} ×
              </button>
            </li>
          )}
          {tags
            .filter(({ value }) => value !== tag)
            .slice(0, 8)
            .map(({ value, count }) => (
              <li key={value}>
                <button type="button" className="chip bg-raised py-1 text-foreground" aria-pressed="false" onClick={() => go(link("search", undefined, { ...(q ? { q } : {}), tag: value }))}>
                  {value} <span className="text-muted">{count}</span>
                </button>
              </li>
            ))}
        </ul>
      )}
      {found.isError ? (
        <Failed error={found.error} again={() => void found.refetch()} />
      ) : found.data ? (
        files.length > 0 ? (
          <Entries entries={files.map(fileEntry)} view="list" actions={actions} chosen={chosen} choose={choose} detail={detail} label={t("found")} />
        ) : (
          <Empty icon={<SearchX size={30} aria-hidden />} title={t("nothing_found")}>
            {t("nothing_found_text")}
          </Empty>
        )
      ) : (
        <Waiting />
      )}
      <More on={found.hasNextPage && !found.isFetchNextPageError} more={() => void found.fetchNextPage()} />
      {!found.hasNextPage && found.data?.pages[0]?.truncated && <p className="px-4 py-3 text-sm text-muted md:px-6">{t("found_truncated")}</p>}
      {dialog}
      {preview}
    </>
  );
}

/** Where it lies, and what of its text was found. */
function detail(entry: Entry) {
  if (entry.kind !== "file") return null;
  const { path, filename, highlights } = entry.file;
  const folder = path.slice(0, -filename.length).replace(/\/$/, "");
  return (
    <>
      {folder && <span className="block truncate">{folder}</span>}
      {highlights?.content && (
        <span className="line-clamp-2">
          <Marked text={highlights.content} />
        </span>
      )}
    </>
  );
}
