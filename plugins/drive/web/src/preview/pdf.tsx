import * as pdfjs from "pdfjs-dist";
// The bundler makes the address.
// oxlint-disable-next-line import/default
import worker from "pdfjs-dist/build/pdf.worker.min.mjs?url";
import { useEffect, useRef, useState } from "react";
import { Waiting } from "@/components/states";
import { t } from "@/i18n";
import { ask } from "@/lib/api";
import { explain } from "@/lib/explain";
import type { FileItem } from "@/lib/types";
import { Nothing } from "./preview";

pdfjs.GlobalWorkerOptions.workerSrc = worker;

/** Pages that are drawn; the rest can be had by downloading it. */
const MOST_PAGES = 200;

/** A PDF, drawn on canvases: nothing that is in it runs, and phones show it. */
export default function Pdf({ file }: { file: FileItem }) {
  const [document, setDocument] = useState<pdfjs.PDFDocumentProxy>();
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    const ending = new AbortController();
    let task: pdfjs.PDFDocumentLoadingTask | undefined;
    const open = async () => {
      const response = await ask("GET", `/files/${file.id}/download`, { params: { disposition: "attachment" }, signal: ending.signal });
      task = pdfjs.getDocument({ data: await response.arrayBuffer(), enableXfa: false });
      setDocument(await task.promise);
    };
    open().catch((error: unknown) => {
      if (!ending.signal.aborted) setProblem(error instanceof TypeError ? explain(error) : t("no_preview"));
    });
    return () => {
      ending.abort();
      void task?.destroy();
    };
  }, [file.id]);
  if (problem) return <Nothing file={file} problem={problem} />;
  if (!document) return <Waiting />;
  const count = Math.min(document.numPages, MOST_PAGES);
  return (
    <div className="flex flex-col items-center gap-4 p-3 md:p-6">
      {Array.from({ length: count }, (_, place) => (
        <Page key={place + 1} document={document} number={place + 1} />
      ))}
    </div>
  );
}

function Page({ document, number }: { document: pdfjs.PDFDocumentProxy; number: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [near, setNear] = useState(number <= 2);
  useEffect(() => {
    const node = canvas.current;
    if (!node || near) return;
    const observer = new IntersectionObserver((seen) => setNear(seen.some((entry) => entry.isIntersecting)), { rootMargin: "600px" });
    observer.observe(node);
    return () => observer.disconnect();
  }, [near]);
  useEffect(() => {
    const node = canvas.current;
    if (!node || !near) return;
    let drawing: pdfjs.RenderTask | undefined;
    let ended = false;
    const draw = async () => {
      const page = await document.getPage(number);
      if (ended) return;
      const whole = page.getViewport({ scale: 1 });
      const width = Math.min(900, node.parentElement?.clientWidth ?? 900);
      const viewport = page.getViewport({ scale: (width / whole.width) * Math.min(2, window.devicePixelRatio) });
      node.width = Math.floor(viewport.width);
      node.height = Math.floor(viewport.height);
      drawing = page.render({ canvas: node, viewport });
      await drawing.promise;
      node.dataset["drawn"] = "true";
    };
    // What was given up has nothing to say.
    draw().catch(() => undefined);
    return () => {
      ended = true;
      drawing?.cancel();
    };
  }, [document, number, near]);
  return (
    <canvas ref={canvas} role="img" aria-label={t("page_of", { number, count: document.numPages })} className="card aspect-[1/1.414] h-auto w-full max-w-[900px] bg-white data-[drawn]:aspect-auto" />
  );
}
