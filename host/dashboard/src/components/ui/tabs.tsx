import { Tabs as Parts } from "radix-ui";
import { type ComponentProps, type RefObject, useEffect, useRef } from "react";
import { cn } from "@/lib/cn";

export const Tabs = Parts.Root;

/** Scrolls tabs until the chosen one is seen whole. */
function showChosen(list: Element) {
  const chosen = list.querySelector("[data-state=active]");
  if (!chosen) return;
  const [room, tab] = [list.getBoundingClientRect(), chosen.getBoundingClientRect()];
  if (tab.right > room.right) list.scrollLeft += tab.right - room.right + 16;
  else if (tab.left < room.left) list.scrollLeft -= room.left - tab.left + 16;
}

/** Where there is room for some tabs only, the chosen one is among them. */
function useChosenInView(list: RefObject<HTMLDivElement | null>) {
  const seen = useRef<Element>(null);
  useEffect(() => {
    const chosen = list.current?.querySelector("[data-state=active]") ?? null;
    if (list.current && chosen !== seen.current) showChosen(list.current);
    seen.current = chosen;
  });
  useEffect(() => {
    const tabs = list.current;
    if (!tabs) return undefined;
    const observer = new ResizeObserver(() => showChosen(tabs));
    observer.observe(tabs);
    return () => observer.disconnect();
  }, [list]);
}

export function TabsList({ className, ...rest }: Omit<ComponentProps<typeof Parts.List>, "ref">) {
  const list = useRef<HTMLDivElement>(null);
  useChosenInView(list);
  return (
    <Parts.List
      ref={list}
      className={cn("-mx-4 flex gap-1 overflow-x-auto border-b border-border px-4 sm:mx-0 sm:px-0", className)}
      {...rest}
    />
  );
}

export function Tab({ className, ...rest }: ComponentProps<typeof Parts.Trigger>) {
  return (
    <Parts.Trigger
      className={cn(
        "-mb-px flex items-center gap-2 border-b-2 border-transparent px-3 py-2 text-sm font-medium whitespace-nowrap text-muted -outline-offset-2 hover:text-foreground data-[state=active]:border-primary data-[state=active]:text-foreground",
        className,
      )}
      {...rest}
    />
  );
}

export function TabPanel({ className, ...rest }: ComponentProps<typeof Parts.Content>) {
  return <Parts.Content className={cn("pt-5 outline-none", className)} {...rest} />;
}
