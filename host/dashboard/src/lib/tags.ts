/** Conditions on what was read: nobody writes unseen over what somebody else has changed meanwhile. */
import { useState } from "react";
import { toast } from "sonner";
import { ApiError } from "@/api/client";

/** Whether a change was refused because somebody else was faster. */
export const isOvertaken = (error: unknown): boolean => error instanceof ApiError && error.status === 412;

/** Puts an error into a form; where somebody else was faster, the form itself shows what has changed. */
export function refused(error: unknown, set: (error: unknown) => void): void {
  if (isOvertaken(error)) toast.error("Somebody else was faster, and nothing is saved yet: look at what has changed");
  else set(error);
}

/** Whether what a dialog is about is another than when it was opened, and how to say that this was seen. */
export function useOvertaken(etag: string | null | undefined): [boolean, () => void] {
  const [base, setBase] = useState(etag);
  return [etag !== base, () => setBase(etag)];
}

/** The header for a change of what has this tag. */
export const made = (etag: string | null | undefined): { "If-Match"?: string } => (etag ? { "If-Match": etag } : {});

/** The header for what shall be new. */
export const onlyNew = { "If-None-Match": "*" };

/** The tag of an answer. */
export const tagOf = ({ response }: { response: Response }): string | undefined => response.headers.get("etag") ?? undefined;

const tries = 6;

/** Reads, changes a part, and writes; all of it anew where somebody else wrote in between. */
export async function untilFirst<T>(work: () => Promise<T>): Promise<T> {
  for (let turn = 1; ; turn += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isOvertaken(error) || turn === tries) throw error;
      // Another node hears of a change within a second.
      await new Promise((resolve) => {
        setTimeout(resolve, 100 * turn);
      });
    }
  }
}
