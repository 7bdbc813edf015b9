/** Whether somebody has to sign in again, and whether the server answers. */
import { useSyncExternalStore } from "react";
import { watch } from "@/api/client";
import { queryClient } from "@/api/queries";

interface State {
  /** Calls wait for a new session. */
  expired: boolean;
  /** The server cannot be reached. */
  lost: boolean;
}

let state: State = { expired: false, lost: false };
const listeners = new Set<() => void>();
let waiting: (() => void)[] = [];

function set(change: Partial<State>): void {
  state = { ...state, ...change };
  for (const listener of listeners) listener();
}

export function useConnection(): State {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => state,
  );
}

/** Lets go on what waited for a session. */
export function signedInAgain(): void {
  const released = waiting;
  waiting = [];
  set({ expired: false });
  for (const release of released) release();
}

/** Asks until the server answers again, then brings the page up to date. */
async function reconnect(): Promise<void> {
  for (let pause = 500; state.lost; pause = Math.min(pause * 1.5, 4_000)) {
    await new Promise((done) => setTimeout(done, pause));
    try {
      const response = await fetch("/readyz", { cache: "no-store" });
      if (!response.ok) continue;
      set({ lost: false });
      await queryClient.invalidateQueries();
    } catch {
      // Not yet.
    }
  }
}

watch({
  signInAgain: () => {
    if (!state.expired) set({ expired: true });
    return new Promise((release) => waiting.push(release));
  },
  lost: () => {
    if (state.lost) return;
    set({ lost: true });
    void reconnect();
  },
});
