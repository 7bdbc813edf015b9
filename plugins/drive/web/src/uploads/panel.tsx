import { CheckCircle2, ChevronDown, ChevronUp, CircleAlert, Pause, Play, X } from "lucide-react";
import { useState } from "react";
import { t, tn } from "@/i18n";
import { bytes, percent } from "@/lib/format";
import { type Transfer, cancel, clear, pause, resume, useTransfers } from "./store";

/** The uploads, at the corner of the page. */
export function UploadPanel() {
  const transfers = useTransfers();
  const [open, setOpen] = useState(true);
  if (transfers.length === 0) return null;
  const left = transfers.filter((transfer) => transfer.state !== "done" && transfer.state !== "failed").length;
  return (
    <section
      aria-label={t("uploads")}
      className="uploads card fixed right-3 bottom-20 left-3 z-40 overflow-hidden shadow-xl sm:left-auto sm:w-96 md:bottom-4"
    >
      <header className="flex items-center gap-1 border-b border-border bg-raised/60 py-1 pr-1 pl-4">
        <h2 className="flex-1 font-semibold">{left > 0 ? tn("uploading", left) : tn("uploaded", transfers.length)}</h2>
        <button type="button" className="icon-button" aria-expanded={open} aria-label={open ? t("hide") : t("show")} onClick={() => setOpen(!open)}>
          {open ? <ChevronDown size={18} aria-hidden /> : <ChevronUp size={18} aria-hidden />}
        </button>
        {left === 0 && (
          <button type="button" className="icon-button" aria-label={t("close")} onClick={clear}>
            <X size={18} aria-hidden />
          </button>
        )}
      </header>
      {open && (
        <ul className="max-h-64 divide-y divide-border overflow-y-auto">
          {transfers.map((transfer) => (
            <Row key={transfer.id} transfer={transfer} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Row({ transfer }: { transfer: Transfer }) {
  const { id, name, size, sent, state } = transfer;
  const part = size === 0 ? (state === "done" ? 1 : 0) : sent / size;
  return (
    <li className="flex items-center gap-2 px-4 py-2">
      <div className="min-w-0 flex-1">
        <div className="truncate" title={name}>
          {name}
        </div>
        {state === "failed" ? (
          <div className="text-sm text-bad [overflow-wrap:anywhere]">{transfer.problem}</div>
        ) : state === "done" ? (
          <div className="text-sm text-muted">{bytes(size)}</div>
        ) : (
          <>
            <progress className="bar mt-1 block h-1.5 w-full" max={1} value={part} aria-label={t("upload_of", { name })} />
            <div className="mt-0.5 text-sm text-muted">
              {state === "paused" ? t("paused") : state === "waiting" ? t("waiting") : percent(part)} · {bytes(size)}
            </div>
          </>
        )}
      </div>
      {state === "done" && <CheckCircle2 size={20} className="text-good" aria-label={t("done")} role="img" />}
      {state === "failed" && <CircleAlert size={20} className="text-bad" aria-hidden />}
      {(state === "running" || state === "waiting") && (
        <button type="button" className="icon-button" aria-label={t("pause_of", { name })} onClick={() => pause(id)}>
          <Pause size={18} aria-hidden />
        </button>
      )}
      {(state === "paused" || state === "failed") && (
        <button type="button" className="icon-button" aria-label={t("resume_of", { name })} onClick={() => resume(id)}>
          <Play size={18} aria-hidden />
        </button>
      )}
      {state !== "done" && (
        <button type="button" className="icon-button" aria-label={t("cancel_of", { name })} onClick={() => cancel(id)}>
          <X size={18} aria-hidden />
        </button>
      )}
    </li>
  );
}
