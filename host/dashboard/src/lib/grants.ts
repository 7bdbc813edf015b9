/** What a plugin asks for, in plain words. */

export interface Plain {
  grant: string;
  /** What it may do then. */
  title: string;
  /** What that means. */
  means: string;
  /** Whether it reaches beyond the plugin's own. */
  wide: boolean;
}

const fixed: Record<string, [string, string, boolean]> = {
  sql: ["Keep tables of its own", "In a schema of its name. It cannot see your tables or another plugin's.", false],
  kv: ["Keep small values", "Settings and counters of its own, with expiry.", false],
  audit: ["Write into the audit", "It can add entries, and never change or remove any.", false],
  users: ["Look up this project's users", "Their names and mail addresses. Never their passwords.", true],
  "users:add": ["Add users to this project", "Without a password, and with any role but admin. Each is in the audit.", true],
  "sign-in": ["Sign users in", "It checks what users send to it: passwords of apps and codes.", true],
  database: ["Read and write this project's tables", "With the rights of whoever calls it: policies hold.", true],
  "database:read": ["Read this project's tables", "With the rights of whoever calls it: policies hold.", true],
  "database:define": [
    "Make, change and remove this project's tables",
    "With their rows, and it says whom row policies let in. For secret keys, admins and its own jobs; each change is a migration that names it.",
    true,
  ],
  "http:*": ["Call any public address on the internet", "It may send what it knows anywhere. Private addresses stay closed.", true],
  channel: ["Hold connections of clients", "To push news to them as it happens.", false],
  jobs: ["Work later and by the clock", "With the rights of the scheduler, which are all of them.", true],
  "jobs:platform": ["Have the platform back this project up, export it or tidy it up", "As jobs of its own; restoring is not among them.", true],
  mail: ["Send mail to this project's users", "To their registered addresses only.", true],
};

export function inWords(grant: string): Plain {
  const known = fixed[grant];
  if (known) return { grant, title: known[0], means: known[1], wide: known[2] };
  const [capability = "", ...rest] = grant.split(":");
  const scope = rest.join(":");
  switch (capability) {
    case "blob": {
      const reads = scope.endsWith(":read");
      const bucket = reads ? scope.slice(0, -5) : scope;
      return {
        grant,
        title: reads ? `Read files in the bucket “${bucket}”` : `Read and write files in the bucket “${bucket}”`,
        means: "No other bucket. The project's quota holds.",
        wide: true,
      };
    }
    case "http":
      return scope.startsWith("$")
        ? {
            grant,
            title: `Call the address that you set as “${scope.slice(1)}”`,
            means: "In its configuration; nothing until you set one.",
            wide: true,
          }
        : { grant, title: `Call ${scope}`, means: "Over the internet, and no other host.", wide: true };
    case "plugin":
      return { grant, title: `Ask the plugin “${scope}”`, means: "In the name of whoever calls it, inside this project.", wide: false };
    case "events":
      return { grant, title: `Be told what happens in “${scope}”`, means: "Its events, inside this project.", wide: false };
    case "mail":
      return { grant, title: `Send mail to ${scope}`, means: "To this address only.", wide: true };
    default:
      return { grant, title: grant, means: "A capability that this dashboard has no words for.", wide: true };
  }
}
