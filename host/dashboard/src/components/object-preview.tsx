/** An object of a bucket: what it looks like, and links to it. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Download, Link2, Trash2 } from "lucide-react";
import { useEffect, useState } from "react";
import { toast } from "sonner";
import { plugin, reason } from "@/api/client";
import { Refusal, Skeleton } from "@/components/states";
import { Secret } from "@/components/text";
import { Button } from "@/components/ui/button";
import { DialogContent, DialogRoot } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Select } from "@/components/ui/input";
import { bytes, moment } from "@/lib/format";

export interface StoredObject {
  objectKey: string;
  size: number;
  contentType: string;
  ownerId: string | null;
  createdAt: string;
}

/** Of larger ones the browser would keep too much. */
const largestPdf = 64 * 1_048_576;

const lifetimes: [string, string][] = [
  ["", "as long as the plugin is set"],
  ["300", "5 minutes"],
  ["3600", "an hour"],
  ["86400", "a day"],
  ["604800", "a week"],
];

const signed = (project: string, bucket: string, objectKey: string, disposition: "inline" | "attachment", expiresIn = "") =>
  plugin<{ downloadUrl: string; expiresIn: number }>(project, "/v1/storage/signed-download", {
    query: { bucket, objectKey, disposition, ...(expiresIn ? { expiresIn } : {}) },
  });

export const remove = (project: string, bucket: string, objectKey: string) =>
  plugin(project, "/v1/storage/object", { method: "DELETE", query: { bucket, objectKey } });

/** Shown by the browser's own viewer, which runs nothing of the document in this page. */
function Pdf({ name, bytes: content }: { name: string; bytes: Blob | undefined }) {
  const [address, setAddress] = useState<string>();
  useEffect(() => {
    if (!content) return undefined;
    const made = URL.createObjectURL(new Blob([content], { type: "application/pdf" }));
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [content]);
  // The viewer is the browser's, and no script of the document reaches out of it; a sandbox would keep the viewer from running.
  // oxlint-disable-next-line react/iframe-missing-sandbox
  return address ? <iframe title={`Preview of ${name}`} src={`${address}#navpanes=0`} className="h-[28rem] w-full" /> : <Skeleton className="h-[28rem] w-full" />;
}

function SignedLink({ project, bucket, objectKey }: { project: string; bucket: string; objectKey: string }) {
  const [lifetime, setLifetime] = useState("");
  const [link, setLink] = useState<{ url: string; until: string }>();
  const [pending, setPending] = useState(false);
  return (
    <form
      className="grid gap-2 border-t border-border pt-4"
      onSubmit={async (event) => {
        event.preventDefault();
        setPending(true);
        try {
          const made = await signed(project, bucket, objectKey, "attachment", lifetime);
          setLink({ url: made.downloadUrl, until: new Date(Date.now() + made.expiresIn * 1_000).toISOString() });
        } catch (failure) {
          toast.error(reason(failure));
        } finally {
          setPending(false);
        }
      }}
    >
      <div className="flex items-end gap-2">
        <div className="min-w-0 flex-1">
          <Field label="A link is good for">
            <Select value={lifetime} onChange={(event) => setLifetime(event.target.value)}>
              {lifetimes.map(([seconds, label]) => (
                <option key={seconds} value={seconds}>
                  {label}
                </option>
              ))}
            </Select>
          </Field>
        </div>
        <Button type="submit" pending={pending}>
          <Link2 aria-hidden /> Signed link
        </Button>
      </div>
      {link && (
        <div className="grid gap-1.5">
          <Secret text={link.url} label="signed link" />
          <p className="text-xs text-muted">Whoever has it may download this object until {moment(link.until)}.</p>
        </div>
      )}
    </form>
  );
}

export function ObjectPreview({ project, bucket, object, close, remove }: { project: string; bucket: string; object: StoredObject; close: () => void; remove: () => void }) {
  const { data, error } = useQuery({
    queryKey: ["project", project, "preview", bucket, object.objectKey],
    queryFn: () => signed(project, bucket, object.objectKey, "inline"),
    staleTime: 60_000,
  });
  const isText = /^text\/|json|xml|javascript/.test(object.contentType) && object.size < 512 * 1024;
  const text = useQuery({
    queryKey: ["project", project, "preview-text", data?.downloadUrl],
    queryFn: async () => (await fetch(data?.downloadUrl ?? "")).text(),
    enabled: data !== undefined && isText,
  });
  const isPdf = object.contentType === "application/pdf" && object.size <= largestPdf && navigator.pdfViewerEnabled;
  const pdf = useQuery({
    queryKey: ["project", project, "preview-pdf", data?.downloadUrl],
    queryFn: async () => {
      const answer = await fetch(data?.downloadUrl ?? "");
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      return answer.blob();
    },
    enabled: data !== undefined && isPdf,
  });
  const kind = object.contentType.split("/")[0];
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent
        side
        title={object.objectKey.split("/").at(-1) ?? object.objectKey}
        description={`${bytes(object.size)}, ${object.contentType}`}
        footer={
          <>
            <Button variant="danger" onClick={remove}>
              <Trash2 aria-hidden /> Delete
            </Button>
            <Button
              variant="primary"
              onClick={async () => {
                try {
                  location.assign((await signed(project, bucket, object.objectKey, "attachment")).downloadUrl);
                } catch (failure) {
                  toast.error(reason(failure));
                }
              }}
            >
              <Download aria-hidden /> Download
            </Button>
          </>
        }
      >
        <div className="grid gap-4">
          <div className="grid min-h-40 place-items-center overflow-hidden rounded-md border border-border bg-background">
            {error ? (
              <Refusal error={error} className="m-4" />
            ) : !data ? (
              <Skeleton className="h-40 w-full" />
            ) : kind === "image" ? (
              <img src={data.downloadUrl} alt={object.objectKey} className="max-h-96 max-w-full object-contain" />
            ) : kind === "video" ? (
              // oxlint-disable-next-line jsx-a11y/media-has-caption
              <video src={data.downloadUrl} controls className="max-h-96 w-full" />
            ) : kind === "audio" ? (
              // oxlint-disable-next-line jsx-a11y/media-has-caption
              <audio src={data.downloadUrl} controls className="w-full p-4" />
            ) : isText ? (
              <pre className="max-h-96 w-full overflow-auto p-3 font-mono text-xs break-words whitespace-pre-wrap">{text.data?.slice(0, 100_000) ?? "…"}</pre>
            ) : isPdf && pdf.error ? (
              <Refusal error={pdf.error} className="m-4" />
            ) : isPdf ? (
              <Pdf name={object.objectKey} bytes={pdf.data} />
            ) : (
              <p className="p-6 text-center text-[0.8125rem] text-muted">There is no preview of this type. Download it to look into it.</p>
            )}
          </div>
          <dl className="grid grid-cols-[8rem_1fr] gap-y-1.5 text-[0.8125rem]">
            <dt className="text-muted">Path</dt>
            <dd className="font-mono text-xs break-all">
              {bucket}/{object.objectKey}
            </dd>
            <dt className="text-muted">Owner</dt>
            <dd>
              {object.ownerId ? (
                <Link to="/projects/$project/users" params={{ project }} search={{ user: object.ownerId }} className="font-mono text-xs hover:underline">
                  {object.ownerId}
                </Link>
              ) : (
                "the server"
              )}
            </dd>
            <dt className="text-muted">Stored</dt>
            <dd>{moment(object.createdAt)}</dd>
          </dl>
          <SignedLink project={project} bucket={bucket} objectKey={object.objectKey} />
        </div>
      </DialogContent>
    </DialogRoot>
  );
}
