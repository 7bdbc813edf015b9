import {
  AlarmClock,
  Archive,
  Banknote,
  BookOpen,
  Boxes,
  DatabaseBackup,
  FolderOpen,
  KeyRound,
  LayoutDashboard,
  Layers,
  ListTodo,
  type LucideIcon,
  ScrollText,
  ServerCog,
  Settings,
  ShieldCheck,
  SquareTerminal,
  Table2,
  UserCog,
  Users,
} from "lucide-react";

export interface Place {
  name: string;
  to: string;
  icon: LucideIcon;
  /** The second key after `g`. */
  key: string;
  exact?: boolean;
  words?: string;
}

/** What concerns the whole platform. */
export const platformPlaces: Place[] = [
  { name: "Projects", to: "/projects", icon: Layers, key: "p", exact: true },
  { name: "Plugin catalogue", to: "/plugins", icon: Boxes, key: "c", words: "upload deploy wasm component" },
  { name: "Audit", to: "/audit", icon: ShieldCheck, key: "a", words: "history who did what" },
  { name: "Admins", to: "/admins", icon: UserCog, key: "d", words: "invite owner viewer" },
  { name: "Backups", to: "/backups", icon: Archive, key: "r", words: "restore archive disaster" },
  { name: "Platform", to: "/platform", icon: ServerCog, key: "h", words: "health version migrations settings" },
];

/** What concerns one project; the addresses stand below the project's. */
export const projectPlaces: Place[] = [
  { name: "Overview", to: "", icon: LayoutDashboard, key: "o", exact: true },
  { name: "Plugins", to: "/plugins", icon: Boxes, key: "l", words: "install configure catalogue" },
  { name: "Tables", to: "/tables", icon: Table2, key: "t", words: "rows data editor csv" },
  { name: "SQL", to: "/sql", icon: SquareTerminal, key: "s", words: "query editor" },
  { name: "Database tools", to: "/database", icon: DatabaseBackup, key: "b", words: "backups restore import export migrations" },
  { name: "Storage", to: "/storage", icon: FolderOpen, key: "f", words: "files buckets objects upload" },
  { name: "Users", to: "/users", icon: Users, key: "u", words: "sign-in roles invite mail" },
  { name: "Keys", to: "/keys", icon: KeyRound, key: "k", words: "api secret publishable" },
  { name: "Cron", to: "/cron", icon: AlarmClock, key: "j", words: "jobs schedule timer clock" },
  { name: "Payments", to: "/payments", icon: Banknote, key: "m", words: "mpesa money transactions reconciliation" },
  { name: "Queue", to: "/queue", icon: ListTodo, key: "q", words: "events jobs schedules dead letters retry" },
  { name: "Logs", to: "/logs", icon: ScrollText, key: "g", words: "audit live tail" },
  { name: "API", to: "/api", icon: BookOpen, key: "i", words: "documentation curl javascript python" },
  { name: "Settings", to: "/settings", icon: Settings, key: "e", words: "domains quota rename delete" },
];

