import { Backups } from "@/components/backups";
import { PageHeader } from "@/components/page";

/** Backups of the platform, and of all projects that are or were. */
export function PlatformBackups() {
  return (
    <>
      <PageHeader
        title="Backups"
        description="Of the platform and of all projects, also of those that are gone. A whole installation is the platform's and each project's together, with the master key."
      />
      <Backups project={undefined} />
    </>
  );
}
