import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { DialogContent, DialogRoot } from "@/components/ui/dialog";
import { type Place, platformPlaces, projectPlaces } from "./navigation";

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.closest(".monaco-editor") !== null);

/** `g` and a letter goes places, `/` looks for something, `?` shows all this. */
export function useShortcuts(project: string | undefined, palette: () => void, help: () => void): void {
  const navigate = useNavigate();
  const awaits = useRef(0);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        palette();
        return;
      }
      if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector('[role="dialog"],[role="alertdialog"],[role="menu"]')) return;
      if (awaits.current > Date.now()) {
        awaits.current = 0;
        const inside = project && projectPlaces.find((place) => place.key === event.key);
        const place = inside || platformPlaces.find((place) => place.key === event.key);
        if (!place) return;
        event.preventDefault();
        void navigate({ to: inside ? `/projects/${project}${inside.to}` : place.to });
        return;
      }
      if (event.key === "g") awaits.current = Date.now() + 1_500;
      else if (event.key === "?") help();
      else if (event.key === "/") {
        const search = document.querySelector<HTMLInputElement>('main input[type="search"]');
        if (!search) return;
        event.preventDefault();
        search.focus();
      }
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [navigate, project, palette, help]);
}

const Keys = ({ keys }: { keys: string[] }) => (
  <span className="flex gap-1">
    {keys.map((key) => (
      <kbd key={key} className="min-w-6 rounded border border-border bg-raised px-1.5 py-0.5 text-center text-xs">
        {key}
      </kbd>
    ))}
  </span>
);

export function ShortcutHelp({ open, onOpenChange, inProject }: { open: boolean; onOpenChange: (open: boolean) => void; inProject: boolean }) {
  const list = (places: Place[]) =>
    places.map((place) => (
      <li key={place.to} className="flex items-center justify-between py-1">
        {place.name} <Keys keys={["g", place.key]} />
      </li>
    ));
  return (
    <DialogRoot open={open} onOpenChange={onOpenChange}>
      <DialogContent title="Keyboard shortcuts">
        <ul className="text-sm">
          <li className="flex items-center justify-between py-1">
            Go anywhere, do anything <Keys keys={["Ctrl", "K"]} />
          </li>
          <li className="flex items-center justify-between py-1">
            Search on the page <Keys keys={["/"]} />
          </li>
          <li className="flex items-center justify-between py-1">
            Run the statement, in the SQL editor <Keys keys={["Ctrl", "Enter"]} />
          </li>
          <li className="flex items-center justify-between py-1">
            These shortcuts <Keys keys={["?"]} />
          </li>
          {inProject && <li className="pt-3 pb-1 text-xs font-medium text-muted">In the project</li>}
          {inProject && list(projectPlaces)}
          <li className="pt-3 pb-1 text-xs font-medium text-muted">On the platform</li>
          {list(platformPlaces)}
        </ul>
      </DialogContent>
    </DialogRoot>
  );
}
