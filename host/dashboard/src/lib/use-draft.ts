import { useEffect, useState } from "react";
import { different, merge } from "./merge";

interface Overtaken {
  /** What is another now. */
  fields: string[];
  /** Takes what is there in place of the draft. */
  reset: () => void;
  /** Puts what was changed here over what is there, unless both changed the same. */
  both: (() => void) | undefined;
}

/**
 * A form that is sent whole, and knows when somebody else has changed the same
 * meanwhile: the draft, how to change it, whether it differs from what was
 * there, what somebody else has changed, how to take what is there over, and
 * how to say that the draft was saved.
 */
export function useDraft<T extends object>(
  saved: T,
  generation: number | string,
): [T, (value: T) => void, boolean, Overtaken | undefined, () => void, () => void] {
  const [draft, setDraft] = useState(saved);
  const [base, setBase] = useState({ saved, generation });
  // What was saved here comes back in another form: with its secrets hidden.
  const [settled, setSettled] = useState(false);
  const dirty = JSON.stringify(draft) !== JSON.stringify(base.saved);
  const take = (value: T) => {
    setDraft(value);
    setBase({ saved, generation });
  };
  const reset = () => take(saved);
  useEffect(() => {
    if (generation !== base.generation && (!dirty || settled)) {
      setDraft(saved);
      setBase({ saved, generation });
      setSettled(false);
    }
  }, [generation, saved, base, dirty, settled]);
  let overtaken: Overtaken | undefined;
  if (generation !== base.generation && dirty && !settled) {
    const { merged, clashes } = merge(base.saved, draft, saved);
    overtaken = { fields: different(base.saved, saved), reset, both: clashes.length === 0 ? () => take(merged) : undefined };
  }
  return [draft, setDraft, dirty, overtaken, reset, () => setSettled(true)];
}
