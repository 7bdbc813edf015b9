import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { Keyboard, Layers, LogOut, Plus, SunMoon, UserRound } from "lucide-react";
import { type ReactNode, useDeferredValue, useState } from "react";
import { projectsQuery } from "@/api/queries";
import { DialogRoot } from "@/components/ui/dialog";
import { Dialog as Parts } from "radix-ui";
import { platformPlaces, projectPlaces } from "./navigation";
import { toggleTheme } from "./theme";

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  project: string | undefined;
  help: () => void;
  signOut: () => void;
}

const item =
  "flex cursor-pointer items-center gap-3 rounded-md px-3 py-2 text-sm data-[selected=true]:bg-raised [&_svg]:size-4 [&_svg]:text-muted";
const group =
  "[&_[cmdk-group-heading]]:px-3 [&_[cmdk-group-heading]]:pt-3 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-muted";

/** Everything that can be gone to or done, by typing a part of its name. */
export default function Palette({ open, onOpenChange, project, help, signOut }: Props) {
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const wanted = useDeferredValue(text.trim());
  const { data } = useQuery({ ...projectsQuery(wanted, undefined, 8), enabled: open });
  const run = (action: () => void) => () => {
    onOpenChange(false);
    setText("");
    action();
  };
  const go = (to: string) => run(() => void navigate({ to }));
  const entry = (key: string, icon: ReactNode, name: string, select: () => void, words = "") => (
    <Command.Item key={key} value={`${key} ${name}`} keywords={words.split(" ")} onSelect={select} className={item}>
      {icon}
      <span className="min-w-0 flex-1 truncate">{name}</span>
    </Command.Item>
  );
  return (
    <DialogRoot open={open} onOpenChange={onOpenChange}>
      <Parts.Portal>
        <Parts.Overlay className="veil" />
        <Parts.Content
          aria-describedby={undefined}
          className="pop fixed top-[12vh] left-1/2 z-50 w-[calc(100vw-2rem)] max-w-xl -translate-x-1/2 overflow-hidden"
        >
          <Parts.Title className="sr-only">Command palette</Parts.Title>
          <Command label="Command palette" loop>
            <Command.Input
              value={text}
              onValueChange={setText}
              placeholder="Go to a page or a project, or do something…"
              className="h-12 w-full border-b border-border bg-transparent px-4 text-sm outline-none placeholder:text-muted"
            />
            <Command.List className="max-h-[min(24rem,60vh)] overflow-y-auto p-1.5">
              <Command.Empty className="px-3 py-8 text-center text-sm text-muted">Nothing has such a name.</Command.Empty>
              {project && (
                <Command.Group heading={`In ${project}`} className={group}>
                  {projectPlaces.map((place) =>
                    entry(`in${place.to}`, <place.icon aria-hidden />, place.name, go(`/projects/${project}${place.to}`), place.words),
                  )}
                </Command.Group>
              )}
              {data && data.items.length > 0 && (
                <Command.Group heading="Projects" className={group}>
                  {data.items.map((found) =>
                    entry(`project ${found.slug}`, <Layers aria-hidden />, found.name, go(`/projects/${found.slug}`), found.slug),
                  )}
                </Command.Group>
              )}
              <Command.Group heading="Platform" className={group}>
                {platformPlaces.map((place) => entry(place.to, <place.icon aria-hidden />, place.name, go(place.to), place.words))}
              </Command.Group>
              <Command.Group heading="Do" className={group}>
                {entry("new", <Plus aria-hidden />, "New project", go("/projects?new=true"), "create")}
                {entry("theme", <SunMoon aria-hidden />, "Switch between dark and light", run(toggleTheme), "theme mode")}
                {entry("account", <UserRound aria-hidden />, "Your account", go("/account"), "password second factor totp")}
                {entry("keys", <Keyboard aria-hidden />, "Keyboard shortcuts", run(help), "help")}
                {entry("out", <LogOut aria-hidden />, "Sign out", run(signOut), "log out")}
              </Command.Group>
            </Command.List>
          </Command>
        </Parts.Content>
      </Parts.Portal>
    </DialogRoot>
  );
}
