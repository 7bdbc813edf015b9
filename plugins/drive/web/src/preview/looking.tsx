import { lazy, type ReactNode, Suspense, useEffect, useRef } from "react";
import { complain } from "@/components/toast";
import { useFile } from "@/lib/queries";
import { go, link, useRoute } from "@/lib/route";
import type { FileItem } from "@/lib/types";

const Preview = lazy(async () => import("./preview"));

/**
 * The file of a list that is looked at. It stands in the address, so that it
 * outlasts a reload, the browser's way back closes it, and a notice leads to
 * it, also where the list has not come as far.
 */
export function useLooking(files: FileItem[]): { look: (id: string) => void; preview: ReactNode } {
  const { page, id: place, query } = useRoute();
  const shown = query.get("file") ?? undefined;
  const isListed = files.some(({ id }) => id === shown);
  const sent = useFile(isListed ? undefined : shown);
  // Whether the way back leads to the list without it.
  const opened = useRef(false);
  const to = (file?: string) => {
    const words = new URLSearchParams(query);
    words.delete("file");
    if (file) words.set("file", file);
    return link(page, place, Object.fromEntries(words));
  };
  const look = (id: string) => {
    if (!shown) opened.current = true;
    go(to(id), shown !== undefined);
  };
  const close = () => {
    if (opened.current) window.history.back();
    else go(to(), true);
    opened.current = false;
  };
  const { error } = sent;
  const list = to();
  useEffect(() => {
    if (!error) return;
    complain(error);
    go(list, true);
  }, [error, list]);
  const seen = isListed ? files : sent.data ? [sent.data] : [];
  return {
    look,
    preview: shown && seen.length > 0 && (
      <Suspense fallback={null}>
        <Preview files={seen} id={shown} show={look} close={close} />
      </Suspense>
    ),
  };
}
