import { useEffect, useState } from "react";

/**
 * A form that is sent whole, and knows when somebody else has changed the same
 * meanwhile: the draft, how to change it, whether it differs from what was
 * there, whether what was there has changed, how to take that over, and how to
 * say that the draft was saved.
 */
export function useDraft<T>(saved: T, generation: number | string): [T, (value: T) => void, boolean, boolean, () => void, () => void] {
  const [draft, setDraft] = useState(saved);
  const [base, setBase] = useState({ saved, generation });
  // What was saved here comes back in another form: with its secrets hidden.
  const [settled, setSettled] = useState(false);
  const dirty = JSON.stringify(draft) !== JSON.stringify(base.saved);
  const stale = generation !== base.generation && dirty;
  const reset = () => {
    setDraft(saved);
    setBase({ saved, generation });
  };
  useEffect(() => {
    if (generation !== base.generation && (!dirty || settled)) {
      setDraft(saved);
      setBase({ saved, generation });
      setSettled(false);
    }
  }, [generation, saved, base, dirty, settled]);
  return [draft, setDraft, dirty, stale && !settled, reset, () => setSettled(true)];
}
