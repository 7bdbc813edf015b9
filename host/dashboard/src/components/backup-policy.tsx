import { useMemo, useState } from "react";
import { toast } from "sonner";
import { cronInWords, localZone, zones } from "@/lib/cron";
import { plural } from "@/lib/format";
import { refused } from "@/lib/tags";
import { type BackupPolicy, type Owner, setPolicy } from "./backup-queries";
import { Changed } from "./changed";
import { Refusal } from "./states";
import { Button } from "./ui/button";
import { DialogContent, DialogRoot } from "./ui/dialog";
import { Field, Toggle } from "./ui/field";
import { Input, Select } from "./ui/input";

const units: [string, number][] = [
  ["minute", 60],
  ["hour", 3_600],
  ["day", 86_400],
];

/** The largest unit in which an interval is a whole number. */
function split(seconds: number): [number, number] {
  for (const [, length] of units.toReversed()) {
    if (seconds % length === 0) return [seconds / length, length];
  }
  return [Math.max(5, Math.round(seconds / 60)), 60];
}

function keeps(policy: BackupPolicy): string {
  const kept = policy.keep_last === 1 ? "the last one is kept" : `the last ${policy.keep_last ?? 7} are kept`;
  return policy.keep_days ? `${kept}, for ${plural(policy.keep_days, "day")}` : kept;
}

export function policyInWords(policy: BackupPolicy): string {
  if (!policy.enabled) return "Backups are made only when somebody asks for one.";
  const [many, length] = split(policy.interval_seconds ?? 86_400);
  const unit = units.find(([, one]) => one === length)?.[0] ?? "second";
  if (policy.schedule) {
    const when = cronInWords(policy.schedule) ?? `Made at \`${policy.schedule}\``;
    return `${when}, ${policy.timezone ?? "UTC"}${policy.verify ? ", and tested" : ""}; ${keeps(policy)}.`;
  }
  const often = many === 1 ? `every ${unit}` : `every ${plural(many, unit)}`;
  return `Made ${often}${policy.verify ? " and tested" : ""}; ${keeps(policy)}.`;
}

/** How backups are made by themselves, and how many are kept. */
export function PolicyDialog({ policy, etag, ...rest }: { project: Owner; policy: BackupPolicy; etag: string | undefined; close: () => void }) {
  const [opened, setOpened] = useState({ policy, etag });
  const reset = opened.etag === etag ? undefined : () => setOpened({ policy, etag });
  return <PolicyForm key={opened.etag} policy={opened.policy} etag={etag} reset={reset} {...rest} />;
}

interface FormProps {
  project: Owner;
  policy: BackupPolicy;
  /** Of what is there now. */
  etag: string | undefined;
  /** Shows what somebody else has made of it meanwhile. */
  reset: (() => void) | undefined;
  close: () => void;
}

function PolicyForm({ project, policy, etag, reset, close }: FormProps) {
  const [enabled, setEnabled] = useState(policy.enabled ?? false);
  const [initialMany, initialUnit] = split(policy.interval_seconds ?? 86_400);
  const [many, setMany] = useState(String(initialMany));
  const [unit, setUnit] = useState(initialUnit);
  // A server before expressions were taken has no such member.
  const knows = "schedule" in policy;
  const [way, setWay] = useState<"interval" | "times">(policy.schedule ? "times" : "interval");
  const [schedule, setSchedule] = useState(policy.schedule ?? "0 3 * * *");
  const [timezone, setTimezone] = useState(policy.timezone ?? localZone());
  const all = useMemo(() => zones(), []);
  const [last, setLast] = useState(String(policy.keep_last ?? 7));
  const [days, setDays] = useState(policy.keep_days ? String(policy.keep_days) : "");
  const [verify, setVerify] = useState(policy.verify ?? true);
  const [testDays, setTestDays] = useState(policy.verify_every_days ? String(policy.verify_every_days) : "");
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent
        title="Backups by schedule"
        description={project === undefined ? "Of the platform itself: admins, the catalogue of plugins, the audit." : "Of this project, with its files."}
      >
        <form
          className="grid gap-4"
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setError(undefined);
            try {
              const wanted = {
                ...policy,
                enabled,
                interval_seconds: Number(many) * unit,
                ...(knows ? { schedule: way === "times" ? schedule.trim() : null, timezone: way === "times" ? timezone : null } : {}),
                keep_last: Number(last),
                keep_days: days ? Number(days) : null,
                verify,
                verify_every_days: testDays ? Number(testDays) : null,
              };
              await setPolicy(project, wanted, etag);
              toast.success(enabled ? "Backups are made by themselves now" : "Backups are made only when somebody asks");
              close();
            } catch (failure) {
              refused(failure, setError);
            } finally {
              setPending(false);
            }
          }}
        >
          {reset && !pending && <Changed what="policy" of={{ ...(project ? { project } : {}), action: "backup.policy" }} reset={reset} />}
          <Toggle label="Make backups by schedule" help="Switched off, they are made only when somebody asks." checked={enabled} change={setEnabled} />
          {knows && (
            <Field label="When">
              <Select value={way} onChange={(event) => setWay(event.target.value as typeof way)}>
                <option value="interval">At an interval</option>
                <option value="times">At certain times</option>
              </Select>
            </Field>
          )}
          <div className="grid grid-cols-2 gap-4">
            {way === "times" ? (
              <>
                <Field label="Cron expression" help={cronInWords(schedule) ?? "Minute, hour, day of the month, month, day of the week."}>
                  <Input required autoComplete="off" className="font-mono" value={schedule} onChange={(event) => setSchedule(event.target.value)} />
                </Field>
                <Field label="Time zone">
                  <Input required list="backup-zones" autoComplete="off" value={timezone} onChange={(event) => setTimezone(event.target.value)} />
                </Field>
                <datalist id="backup-zones">
                  {all.map((zone) => (
                    <option key={zone} value={zone} />
                  ))}
                </datalist>
              </>
            ) : (
              <>
                <Field label="Every">
                  <Input type="number" required min={unit === 60 ? 5 : 1} max={Math.floor(31_622_400 / unit)} value={many} onChange={(event) => setMany(event.target.value)} />
                </Field>
                <Field label="Unit">
                  <Select value={unit} onChange={(event) => setUnit(Number(event.target.value))}>
                    {units.map(([name, length]) => (
                      <option key={name} value={length}>
                        {name}s
                      </option>
                    ))}
                  </Select>
                </Field>
              </>
            )}
            <Field label="Keep the last" help="Older ones are removed.">
              <Input type="number" required min={1} max={1_000} value={last} onChange={(event) => setLast(event.target.value)} />
            </Field>
            <Field label="Keep for, days" help="Empty: whatever their age.">
              <Input type="number" min={1} max={3_660} value={days} onChange={(event) => setDays(event.target.value)} />
            </Field>
          </div>
          <Toggle label="Test each" help="Loads it once into a database that is thrown away, to see that it can be." checked={verify} change={setVerify} />
          <Field label="Test the newest again after, days" help="Empty: never again.">
            <Input type="number" min={1} max={366} value={testDays} onChange={(event) => setTestDays(event.target.value)} />
          </Field>
          <p className="text-xs text-muted">The newest always stays. What a restore replaced is kept apart, the last three.</p>
          <Refusal error={error} />
          <div className="flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button type="submit" variant="primary" pending={pending}>
              Save
            </Button>
          </div>
        </form>
      </DialogContent>
    </DialogRoot>
  );
}
