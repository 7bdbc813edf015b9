import { useState } from "react";
import { toast } from "sonner";
import { reason } from "@/api/client";

/** Does something once, says what came of it. */
export function useAction(): {
  pending: boolean;
  run: (action: () => Promise<unknown>, done?: string) => Promise<boolean>;
} {
  const [pending, setPending] = useState(false);
  return {
    pending,
    run: async (action, done) => {
      setPending(true);
      try {
        await action();
        if (done) toast.success(done);
        return true;
      } catch (error) {
        toast.error(reason(error));
        return false;
      } finally {
        setPending(false);
      }
    },
  };
}
