/** The addresses of all pages; each page is loaded when it is gone to. */
import {
  type ErrorComponentProps,
  Link,
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { Compass } from "lucide-react";
import { queryClient, sessionQuery, setUpQuery } from "./api/queries";
import { Empty, Failure } from "./components/states";
import { Button } from "./components/ui/button";
import { Layout } from "./shell/layout";

/** Words of an address's query; what is no text is left out. */
const words =
  <K extends string>(...names: K[]) =>
  (search: Record<string, unknown>): { [name in K]?: string } => {
    const found: { [name in K]?: string } = {};
    for (const name of names) {
      const value = search[name];
      if (value !== undefined && value !== null && value !== "") found[name] = String(value);
    }
    return found;
  };

function Broken({ error, reset }: ErrorComponentProps) {
  return <Failure error={error} retry={reset} className="min-h-[50vh] content-center" />;
}

const root = createRootRoute({ errorComponent: Broken });

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: words("next"),
  component: lazyRouteComponent(() => import("./pages/sign-in"), "SignIn"),
  beforeLoad: async () => {
    if (await queryClient.ensureQueryData(sessionQuery)) throw redirect({ to: "/projects" });
    const { set_up } = await queryClient.ensureQueryData(setUpQuery);
    if (!set_up) throw redirect({ to: "/setup" });
  },
});

const setup = createRoute({
  getParentRoute: () => root,
  path: "/setup",
  component: lazyRouteComponent(() => import("./pages/setup"), "SetUp"),
  beforeLoad: async () => {
    const { set_up } = await queryClient.ensureQueryData(setUpQuery);
    if (set_up) throw redirect({ to: "/projects" });
  },
});

const accept = createRoute({
  getParentRoute: () => root,
  path: "/accept",
  component: lazyRouteComponent(() => import("./pages/accept"), "Accept"),
});

/** Everything that asks for a session. */
const inside = createRoute({
  getParentRoute: () => root,
  id: "inside",
  component: Layout,
  beforeLoad: async ({ location }) => {
    if (await queryClient.ensureQueryData(sessionQuery)) return;
    const { set_up } = await queryClient.ensureQueryData(setUpQuery);
    if (!set_up) throw redirect({ to: "/setup" });
    throw redirect({ to: "/sign-in", search: location.pathname === "/" ? {} : { next: location.href } });
  },
});

const home = createRoute({
  getParentRoute: () => inside,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/projects" });
  },
});

const projects = createRoute({
  getParentRoute: () => inside,
  path: "/projects",
  validateSearch: words("q", "pages", "new"),
  component: lazyRouteComponent(() => import("./pages/projects"), "Projects"),
});

const welcome = createRoute({
  getParentRoute: () => inside,
  path: "/welcome",
  component: lazyRouteComponent(() => import("./pages/welcome"), "Welcome"),
});

const catalogue = createRoute({
  getParentRoute: () => inside,
  path: "/plugins",
  validateSearch: words("plugin"),
  component: lazyRouteComponent(() => import("./pages/catalogue"), "Catalogue"),
});

const audit = createRoute({
  getParentRoute: () => inside,
  path: "/audit",
  validateSearch: words("project", "actor", "action", "target", "from", "pages", "entry"),
  component: lazyRouteComponent(() => import("./pages/audit"), "AuditPage"),
});

const admins = createRoute({
  getParentRoute: () => inside,
  path: "/admins",
  component: lazyRouteComponent(() => import("./pages/admins"), "Admins"),
});

const backups = createRoute({
  getParentRoute: () => inside,
  path: "/backups",
  validateSearch: words("backup", "pages"),
  component: lazyRouteComponent(() => import("./pages/backups"), "PlatformBackups"),
});

const platform = createRoute({
  getParentRoute: () => inside,
  path: "/platform",
  validateSearch: words("range"),
  component: lazyRouteComponent(() => import("./pages/platform"), "Platform"),
});

const account = createRoute({
  getParentRoute: () => inside,
  path: "/account",
  component: lazyRouteComponent(() => import("./pages/account"), "Account"),
});

const project = createRoute({ getParentRoute: () => inside, path: "/projects/$project" });

const overview = createRoute({
  getParentRoute: () => project,
  path: "/",
  validateSearch: words("range"),
  component: lazyRouteComponent(() => import("./pages/overview"), "Overview"),
});

const plugins = createRoute({
  getParentRoute: () => project,
  path: "/plugins",
  component: lazyRouteComponent(() => import("./pages/plugins"), "Plugins"),
});

const plugin = createRoute({
  getParentRoute: () => project,
  path: "/plugins/$plugin",
  validateSearch: words("tab", "range"),
  component: lazyRouteComponent(() => import("./pages/plugin"), "Plugin"),
});

const keys = createRoute({
  getParentRoute: () => project,
  path: "/keys",
  component: lazyRouteComponent(() => import("./pages/keys"), "Keys"),
});

const settings = createRoute({
  getParentRoute: () => project,
  path: "/settings",
  component: lazyRouteComponent(() => import("./pages/settings"), "Settings"),
});

const users = createRoute({
  getParentRoute: () => project,
  path: "/users",
  validateSearch: words("q", "role", "pages", "user", "tab"),
  component: lazyRouteComponent(() => import("./pages/users"), "Users"),
});

const tables = createRoute({
  getParentRoute: () => project,
  path: "/tables",
  component: lazyRouteComponent(() => import("./pages/tables"), "Tables"),
});

const table = createRoute({
  getParentRoute: () => project,
  path: "/tables/$table",
  validateSearch: words("tab", "filter", "order", "offset"),
  component: lazyRouteComponent(() => import("./pages/tables"), "Tables"),
});

const sql = createRoute({
  getParentRoute: () => project,
  path: "/sql",
  validateSearch: words("saved"),
  component: lazyRouteComponent(() => import("./pages/sql"), "Sql"),
});

const database = createRoute({
  getParentRoute: () => project,
  path: "/database",
  validateSearch: words("tab", "backup", "job", "pages"),
  component: lazyRouteComponent(() => import("./pages/database"), "Database"),
});

const storage = createRoute({
  getParentRoute: () => project,
  path: "/storage",
  validateSearch: words("bucket", "prefix", "object"),
  component: lazyRouteComponent(() => import("./pages/storage"), "Storage"),
});

const cron = createRoute({
  getParentRoute: () => project,
  path: "/cron",
  validateSearch: words("job", "new", "pages"),
  component: lazyRouteComponent(() => import("./pages/cron"), "Cron"),
});

const payments = createRoute({
  getParentRoute: () => project,
  path: "/payments",
  validateSearch: words("tab", "status", "kind", "account", "account_reference", "phone", "receipt_number", "from", "to", "pages", "payment", "day"),
  component: lazyRouteComponent(() => import("./pages/payments"), "Payments"),
});

const queue = createRoute({
  getParentRoute: () => project,
  path: "/queue",
  validateSearch: words("tab", "state", "kind", "consumer", "name", "pages", "item", "schedule"),
  component: lazyRouteComponent(() => import("./pages/queue"), "Queue"),
});

const logs = createRoute({
  getParentRoute: () => project,
  path: "/logs",
  validateSearch: words("source", "plugin", "level", "q", "request", "status", "method", "slower", "actor", "action", "target", "from", "pages", "entry"),
  component: lazyRouteComponent(() => import("./pages/logs"), "Logs"),
});

const apiPage = createRoute({
  getParentRoute: () => project,
  path: "/api",
  validateSearch: words("operation"),
  component: lazyRouteComponent(() => import("./pages/api"), "Api"),
});

function NotFound() {
  return (
    <Empty
      icon={Compass}
      title="There is no such page"
      className="min-h-[50vh] content-center"
      action={
        <Button asChild>
          <Link to="/projects">To the projects</Link>
        </Button>
      }
    >
      The address may be mistyped, or what it led to is gone.
    </Empty>
  );
}

export const router = createRouter({
  basepath: "/dashboard",
  routeTree: root.addChildren([
    signIn,
    setup,
    accept,
    inside.addChildren([
      home,
      projects,
      welcome,
      catalogue,
      audit,
      admins,
      backups,
      platform,
      account,
      project.addChildren([overview, plugins, plugin, keys, settings, users, tables, table, sql, database, storage, cron, payments, queue, logs, apiPage]),
    ]),
  ]),
  defaultPreload: "intent",
  defaultPreloadStaleTime: 0,
  defaultNotFoundComponent: NotFound,
  defaultErrorComponent: Broken,
  scrollRestoration: true,
  // Texts in the query stay texts: `?q=1` is not a number.
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (search) => {
    const params = new URLSearchParams();
    for (const [name, value] of Object.entries(search)) {
      if (value !== undefined && value !== null && value !== "") params.set(name, String(value));
    }
    const text = params.toString();
    return text ? `?${text}` : "";
  },
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
