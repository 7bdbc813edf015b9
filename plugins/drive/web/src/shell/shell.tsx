import { Bell, Files, Search, Smartphone, Trash2, Users, X } from "lucide-react";
import { type ComponentType, lazy, Suspense, useEffect, useRef, useState } from "react";
import { Avatar } from "@/components/avatar";
import { Mark } from "@/components/brand";
import { Dialog } from "@/components/dialog";
import { Menu } from "@/components/menu";
import { QuotaBar } from "@/components/quota";
import { Waiting } from "@/components/states";
import { complain } from "@/components/toast";
import { type Key, t } from "@/i18n";
import { useFeatures, useMe, useNotices } from "@/lib/queries";
import { filesChanged } from "@/lib/queries";
import { go, link, useRoute } from "@/lib/route";
import { signOut } from "@/lib/session";
import { FilesPage } from "@/pages/files";
import { UploadPanel } from "@/uploads/panel";
import { isBusy, onArrival } from "@/uploads/store";
import { useLive } from "./live";

const SearchPage = lazy(async () => import("@/pages/search"));
const SharedPage = lazy(async () => import("@/pages/shared"));
const TrashPage = lazy(async () => import("@/pages/trash"));
const NoticesPage = lazy(async () => import("@/pages/notices"));
const PaymentsPage = lazy(async () => import("@/pages/payments"));
const ProfilePage = lazy(async () => import("@/pages/profile"));

interface Place {
  page: string;
  label: Key;
  icon: ComponentType<{ size?: number; "aria-hidden"?: boolean }>;
}

/** The pages of who is signed in, and what stands around them. */
export function Shell({ name }: { name: string }) {
  const route = useRoute();
  const features = useFeatures();
  const me = useMe();
  const [keys, setKeys] = useState(false);
  useLive(features.notifications);

  useEffect(() => onArrival(() => void filesChanged()), []);
  useEffect(() => {
    const leaving = (event: BeforeUnloadEvent) => {
      if (isBusy()) event.preventDefault();
    };
    window.addEventListener("beforeunload", leaving);
    return () => window.removeEventListener("beforeunload", leaving);
  }, []);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key !== "?" || typing(event) || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      setKeys(true);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);

  const places: Place[] = [
    { page: "files", label: "my_files", icon: Files },
    { page: "shared", label: "shared_with_me", icon: Users },
    ...(features.payments ? [{ page: "payments", label: "payments" as const, icon: Smartphone }] : []),
    { page: "trash", label: "trash", icon: Trash2 },
  ];
  const leave = () => {
    signOut().catch(complain);
  };

  return (
    <div className="flex h-full flex-col">
      <a href="#content" className="button absolute -top-20 left-2 z-50 focus:top-2" onClick={(event) => {
        event.preventDefault();
        document.querySelector<HTMLElement>("#content")?.focus();
      }}>
        {t("skip")}
      </a>
      <header className="flex items-center gap-2 px-3 py-2 md:gap-4 md:px-5">
        <a href={link("files")} className="flex shrink-0 items-center gap-2.5 rounded-lg text-lg font-semibold md:w-52" aria-label={name}>
          <Mark size={34} />
          <span className="hidden truncate md:inline">{name}</span>
        </a>
        <SearchField />
        <div className="ml-auto flex shrink-0 items-center gap-1">
          {features.notifications && <BellLink />}
          <Menu
            label={t("account")}
            className="rounded-full p-1 hover:bg-raised"
            choices={[
              { label: t("profile"), run: () => go(link("profile")) },
              { label: t("keys"), run: () => setKeys(true) },
              { label: t("sign_out"), run: leave },
            ]}
          >
            <Avatar id={me.data?.id} name={me.data?.name ?? me.data?.email ?? ""} has={me.data?.avatar ?? null} size={34} />
          </Menu>
        </div>
      </header>
      <div className="flex min-h-0 flex-1">
        <nav aria-label={t("pages")} className="hidden w-60 shrink-0 flex-col gap-1 overflow-y-auto px-3 pb-4 md:flex">
          {places.map((place) => (
            <PlaceLink key={place.page} place={place} current={route.page === place.page} />
          ))}
          <div className="mt-auto px-3 pt-6">
            <QuotaBar />
          </div>
        </nav>
        <main id="content" tabIndex={-1} className="min-w-0 flex-1 overflow-y-auto pb-20 outline-none md:mr-4 md:mb-4 md:rounded-2xl md:border md:border-border md:bg-panel md:pb-0">
          <Suspense fallback={<Waiting />}>
            <Content page={route.page} id={route.id} />
          </Suspense>
        </main>
      </div>
      <nav aria-label={t("pages")} className="fixed inset-x-0 bottom-0 z-30 flex border-t border-border bg-panel pb-[env(safe-area-inset-bottom)] md:hidden">
        {places.map(({ page, label, icon: Icon }) => (
          <a
            key={page}
            href={link(page)}
            aria-current={route.page === page ? "page" : undefined}
            className={`flex min-w-0 flex-1 flex-col items-center gap-0.5 px-1 py-2 text-xs font-medium ${route.page === page ? "text-primary" : "text-muted"}`}
          >
            <Icon size={22} aria-hidden />
            <span className="max-w-full truncate">{t(label)}</span>
          </a>
        ))}
      </nav>
      <UploadPanel />
      {keys && <Keys close={() => setKeys(false)} />}
    </div>
  );
}

function Content({ page, id }: { page: string; id: string | undefined }) {
  switch (page) {
    case "search":
      return <SearchPage />;
    case "shared":
      return <SharedPage />;
    case "trash":
      return <TrashPage />;
    case "notifications":
      return <NoticesPage />;
    case "payments":
      return <PaymentsPage />;
    case "profile":
      return <ProfilePage />;
    default:
      return <FilesPage key={id ?? "root"} folder={page === "files" ? id : undefined} />;
  }
}

function PlaceLink({ place: { page, label, icon: Icon }, current }: { place: Place; current: boolean }) {
  return (
    <a
      href={link(page)}
      aria-current={current ? "page" : undefined}
      className={`flex items-center gap-3 rounded-xl px-3 py-2.5 font-medium ${current ? "bg-accent text-accent-foreground" : "text-muted hover:bg-raised hover:text-foreground"}`}
    >
      <Icon size={20} aria-hidden />
      {t(label)}
    </a>
  );
}

function BellLink() {
  const notices = useNotices(true);
  const unread = notices.data?.unread ?? 0;
  return (
    <a href={link("notifications")} className="icon-button relative" aria-label={unread > 0 ? t("notifications_unread", { count: unread }) : t("notifications")}>
      <Bell size={20} aria-hidden />
      {unread > 0 && (
        <span aria-hidden className="absolute top-1 right-0.5 min-w-4.5 rounded-full bg-bad px-1 text-center text-[0.6875rem] leading-4.5 font-semibold text-background">
          {unread > 99 ? "99+" : unread}
        </span>
      )}
    </a>
  );
}

/** Searches as one types. */
function SearchField() {
  const route = useRoute();
  const there = route.page === "search";
  const asked = there ? (route.query.get("q") ?? "") : "";
  const [value, setValue] = useState(asked);
  const input = useRef<HTMLInputElement>(null);
  const timer = useRef<number>(undefined);

  useEffect(() => {
    if (document.activeElement !== input.current) setValue(asked);
  }, [asked]);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key !== "/" || typing(event) || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener("keydown", press);
    return () => {
      document.removeEventListener("keydown", press);
      window.clearTimeout(timer.current);
    };
  }, []);

  const search = (q: string) => {
    if (q.trim()) go(link("search", undefined, { q }), there);
    else if (there && !route.query.get("tag")) go(link("files"), true);
  };
  return (
    <search className="min-w-0 flex-1 md:max-w-xl">
      <div className="relative">
        <Search size={18} aria-hidden className="pointer-events-none absolute top-1/2 left-3 -translate-y-1/2 text-muted" />
        <input
          ref={input}
          type="search"
          aria-label={t("search")}
          placeholder={t("search")}
          className="field bg-raised pr-9 pl-10 [&::-webkit-search-cancel-button]:hidden"
          value={value}
          onChange={(event) => {
            const q = event.target.value;
            setValue(q);
            window.clearTimeout(timer.current);
            timer.current = window.setTimeout(() => search(q), 200);
          }}
          onKeyDown={(event) => {
            if (event.key === "Enter") {
              window.clearTimeout(timer.current);
              search(value);
            }
            if (event.key === "Escape") {
              setValue("");
              search("");
              input.current?.blur();
            }
          }}
        />
        {value && (
          <button
            type="button"
            className="icon-button absolute top-1/2 right-0.5 size-9 -translate-y-1/2"
            aria-label={t("clear")}
            onClick={() => {
              setValue("");
              search("");
              input.current?.focus();
            }}
          >
            <X size={16} aria-hidden />
          </button>
        )}
      </div>
    </search>
  );
}

/** Whether a key is meant for a field. */
export function typing(event: KeyboardEvent): boolean {
  const { target } = event;
  return event.ctrlKey || event.metaKey || event.altKey || (target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]"));
}

function Keys({ close }: { close: () => void }) {
  const all: [string, Key][] = [
    ["/", "key_search"],
    ["u", "key_upload"],
    ["n", "key_folder"],
    ["↑ ↓", "key_move"],
    ["Enter", "key_open"],
    ["Space", "key_select"],
    ["F2", "key_rename"],
    ["Delete", "key_delete"],
    ["?", "key_help"],
  ];
  return (
    <Dialog title={t("keys")} onClose={close}>
      <dl className="grid grid-cols-[auto_1fr] items-center gap-x-5 gap-y-2.5">
        {all.map(([key, label]) => (
          <div key={key} className="contents">
            <dt>
              <kbd className="rounded-md border border-border bg-raised px-2 py-0.5 text-sm">{key}</kbd>
            </dt>
            <dd>{t(label)}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
