import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { t } from "@/i18n";
import { call } from "@/lib/api";
import { filesChanged, useFile } from "@/lib/queries";
import type { FileItem, Page, Tag } from "@/lib/types";
import { Dialog } from "./dialog";
import { Field, Form, Problem, text } from "./form";
import { complain } from "./toast";

export function TagsDialog({ file, close }: { file: FileItem; close: () => void }) {
  const known = useQuery({ queryKey: ["tags"], queryFn: async () => call<Page<Tag>>("GET", "/tags", { params: { limit: 200 } }) });
  const now = useFile(file.id);
  const tags = now.data?.tags ?? file.tags;
  const remove = async (name: string) => {
    await call("PATCH", `/files/${file.id}`, { json: { tags: tags.filter((tag) => tag !== name) } });
    await filesChanged();
  };
  return (
    <Dialog title={t("tags_of", { name: file.filename })} onClose={close}>
      <ul className="mb-4 flex min-h-8 flex-wrap gap-2" aria-label={t("tags")}>
        {tags.length === 0 && <li className="text-muted">{t("no_tags")}</li>}
        {tags.map((tag) => (
          <li key={tag} className="chip py-1 pr-1 text-sm">
            {tag}
            <button type="button" className="rounded-full p-1 hover:bg-panel" aria-label={t("remove_tag", { name: tag })} onClick={() => void remove(tag).catch(complain)}>
              <X size={14} aria-hidden />
            </button>
          </li>
        ))}
      </ul>
      <Form
        onSend={async (fields) => {
          const wanted = text(fields, "tag").split(",").map((tag) => tag.trim()).filter(Boolean);
          if (wanted.length === 0) return;
          await call("POST", `/files/${file.id}/tags`, { json: { tags: wanted } });
          const input = document.querySelector<HTMLInputElement>("input[name=tag]");
          if (input) input.value = "";
          await filesChanged();
        }}
      >
        {({ busy, problem }) => (
          <>
            <div className="flex items-end gap-2">
              <div className="flex-1">
                <Field label={t("new_tag")} name="tag" list="known-tags" maxLength={100} autoComplete="off" autoFocus />
                <datalist id="known-tags">
                  {known.data?.items.map((tag) => (
                    <option key={tag.id} value={tag.name} />
                  ))}
                </datalist>
              </div>
              <button type="submit" className="button" disabled={busy}>
                {t("add")}
              </button>
            </div>
            <Problem text={problem} />
          </>
        )}
      </Form>
    </Dialog>
  );
}
