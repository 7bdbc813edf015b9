import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useParams, useRouterState } from "@tanstack/react-router";
import { ChevronsUpDown, LogOut, Menu as MenuIcon, Moon, Puzzle, Search, Sun, UserRound } from "lucide-react";
import { Suspense, lazy, useCallback, useEffect, useState } from "react";
import { toast } from "sonner";
import { api, reason, take } from "@/api/client";
import { installationsQuery, projectQuery, queryClient, sessionQuery } from "@/api/queries";
import { Loading } from "@/components/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Menu, MenuContent, MenuItem, MenuLabel, MenuSeparator, MenuTrigger } from "@/components/ui/menu";
import { Tip } from "@/components/ui/tooltip";
import { cn } from "@/lib/cn";
import { Logo } from "./logo";
import { type Place, platformPlaces, projectPlaces } from "./navigation";
import { ShortcutHelp, useShortcuts } from "./shortcuts";
import { toggleTheme, useTheme } from "./theme";
import { Sheet } from "./sheet";

const Palette = lazy(() => import("./palette"));

export function useCurrentProject(): string | undefined {
  return useParams({ strict: false, select: (params: { project?: string }) => params.project });
}

/** Pages that plugins bring, below the project's own. */
function PluginPages({ project }: { project: string }) {
  const { data } = useQuery({ ...installationsQuery(project), staleTime: 30_000 });
  const pages = (data?.items ?? []).flatMap((plugin) =>
    plugin.enabled ? plugin.pages.map((page) => ({ ...page, plugin: plugin.name })) : [],
  );
  if (pages.length === 0) return null;
  return (
    <nav aria-label="Pages of plugins" className="mt-3">
      <p className="px-2.5 pb-1 text-[0.6875rem] font-medium tracking-wide text-muted uppercase">From plugins</p>
      <ul className="grid gap-0.5">
        {pages.map((page) => (
          <li key={page.path}>
            <Link
              to="/projects/$project/plugins/$plugin"
              params={{ project, plugin: page.plugin }}
              search={{ tab: `page:${page.path}` }}
              activeOptions={{ includeSearch: true }}
              title={`${page.title}, from ${page.plugin}`}
              className="group flex h-9 items-center gap-2.5 rounded-md px-2.5 text-sm text-muted hover:bg-raised hover:text-foreground data-[status=active]:bg-accent data-[status=active]:font-medium data-[status=active]:text-accent-foreground md:h-8"
            >
              <Puzzle className="size-4 shrink-0" aria-hidden />
              <span className="truncate">{page.title}</span>
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function NavLink({ place, to }: { place: Place; to: string }) {
  return (
    <li>
      <Link
        to={to}
        activeOptions={{ exact: place.exact ?? false, includeSearch: false }}
        className="group flex h-9 items-center gap-2.5 rounded-md px-2.5 text-sm text-muted hover:bg-raised hover:text-foreground data-[status=active]:bg-accent data-[status=active]:font-medium data-[status=active]:text-accent-foreground md:h-8"
      >
        <place.icon className="size-4 shrink-0" aria-hidden />
        <span className="truncate">{place.name}</span>
      </Link>
    </li>
  );
}

function Navigation({ project, palette }: { project: string | undefined; palette: () => void }) {
  const { data } = useQuery({ ...projectQuery(project ?? ""), enabled: project !== undefined });
  return (
    <div className="flex h-full flex-col gap-1 overflow-y-auto p-3">
      <Link to="/projects" className="mb-2 flex items-center gap-2.5 rounded-md px-2 py-1.5 font-semibold tracking-tight">
        <Logo className="size-6" /> AtlasHub
      </Link>
      {project && (
        <>
          <button
            type="button"
            onClick={palette}
            className="mb-1 flex items-center gap-2 rounded-md border border-border bg-raised/50 px-2.5 py-1.5 text-left hover:bg-raised"
            title="Go to another project"
          >
            <span className="min-w-0 flex-1">
              <span className="block truncate text-sm font-medium">{data?.name ?? project}</span>
              <span className="block truncate font-mono text-[0.6875rem] text-muted">{project}</span>
            </span>
            <ChevronsUpDown className="size-4 shrink-0 text-muted" aria-hidden />
          </button>
          <nav aria-label="Project">
            <ul className="grid gap-0.5">
              {projectPlaces.map((place) => (
                <NavLink key={place.to} place={place} to={`/projects/${project}${place.to}`} />
              ))}
            </ul>
          </nav>
          <PluginPages project={project} />
          <p className="mt-4 px-2.5 pb-1 text-[0.6875rem] font-medium tracking-wide text-muted uppercase">Platform</p>
        </>
      )}
      <nav aria-label="Platform">
        <ul className="grid gap-0.5">
          {platformPlaces.map((place) => (
            <NavLink key={place.to} place={place} to={place.to} />
          ))}
        </ul>
      </nav>
    </div>
  );
}

function Account({ signOut }: { signOut: () => void }) {
  const { data: session } = useQuery(sessionQuery);
  const navigate = useNavigate();
  return (
    <Menu>
      <MenuTrigger asChild>
        <Button variant="ghost" size="icon" aria-label="Account">
          <UserRound aria-hidden />
        </Button>
      </MenuTrigger>
      <MenuContent>
        <MenuLabel className="grid gap-1">
          <span className="max-w-56 truncate text-sm text-foreground">{session?.admin.email ?? "development token"}</span>
          <Badge className="w-fit">{session?.admin.role}</Badge>
        </MenuLabel>
        <MenuSeparator />
        <MenuItem onSelect={() => void navigate({ to: "/account" })}>
          <UserRound aria-hidden /> Your account
        </MenuItem>
        <MenuItem onSelect={signOut}>
          <LogOut aria-hidden /> Sign out
        </MenuItem>
      </MenuContent>
    </Menu>
  );
}

/** The frame of all pages for who has signed in. */
export function Layout() {
  const project = useCurrentProject();
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  const [menu, setMenu] = useState(false);
  const [paletteUsed, setPaletteUsed] = useState(false);
  const theme = useTheme();
  const path = useRouterState({ select: (state) => state.location.pathname });
  useEffect(() => setMenu(false), [path]);
  const openPalette = useCallback(() => {
    setPaletteUsed(true);
    setMenu(false);
    setPalette(true);
  }, []);
  const openHelp = useCallback(() => setHelp(true), []);
  useShortcuts(project, openPalette, openHelp);
  const signOut = useCallback(async () => {
    try {
      await take(api.DELETE("/admin/v1/session"));
    } catch (failure) {
      toast.error(`You are still signed in: ${reason(failure)}`);
      return;
    }
    queryClient.clear();
    location.assign("/dashboard/sign-in");
  }, []);
  return (
    <div className="flex min-h-full">
      <a
        href="#content"
        className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-60 focus:rounded-md focus:bg-primary focus:px-3 focus:py-2 focus:text-primary-foreground"
      >
        Skip to the content
      </a>
      <aside className="sticky top-0 hidden h-dvh w-60 shrink-0 border-r border-border bg-panel md:block">
        <Navigation project={project} palette={openPalette} />
      </aside>
      <div className="flex min-w-0 flex-1 flex-col">
        <header className="sticky top-0 z-30 flex h-13 items-center gap-2 border-b border-border bg-background/90 px-3 backdrop-blur sm:px-5">
          <Button variant="ghost" size="icon" className="md:hidden" aria-label="Menu" onClick={() => setMenu(true)}>
            <MenuIcon aria-hidden />
          </Button>
          <Sheet open={menu} onOpenChange={setMenu} title="Menu">
            <Navigation project={project} palette={openPalette} />
          </Sheet>
          <button
            type="button"
            onClick={openPalette}
            className="flex h-9 min-w-0 flex-1 items-center gap-2 rounded-md border border-border bg-panel px-3 text-sm text-muted hover:border-input sm:max-w-80 sm:flex-initial sm:basis-80"
          >
            <Search className="size-4 shrink-0" aria-hidden />
            <span className="flex-1 truncate text-left">Search or do something…</span>
            <kbd className="hidden rounded border border-border bg-raised px-1.5 text-[0.6875rem] sm:block">Ctrl K</kbd>
          </button>
          <span className="hidden flex-1 sm:block" />
          <Tip text={theme === "dark" ? "Light colours" : "Dark colours"}>
            <Button variant="ghost" size="icon" aria-label="Switch between dark and light" onClick={toggleTheme}>
              {theme === "dark" ? <Sun aria-hidden /> : <Moon aria-hidden />}
            </Button>
          </Tip>
          <Account signOut={signOut} />
        </header>
        <main id="content" tabIndex={-1} className={cn("mx-auto w-full max-w-7xl flex-1 px-4 py-5 outline-none sm:px-6")}>
          <Suspense fallback={<Loading rows={8} />}>
            <Outlet />
          </Suspense>
        </main>
      </div>
      {paletteUsed && (
        <Suspense>
          <Palette open={palette} onOpenChange={setPalette} project={project} help={openHelp} signOut={signOut} />
        </Suspense>
      )}
      <ShortcutHelp open={help} onOpenChange={setHelp} inProject={project !== undefined} />
    </div>
  );
}
