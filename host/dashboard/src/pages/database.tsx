import { Backups } from "@/components/backups";
import { Migrations } from "@/components/migrations";
import { PageHeader } from "@/components/page";
import { Transfer } from "@/components/transfer";
import { Tab, TabPanel, Tabs, TabsList } from "@/components/ui/tabs";
import { useWords } from "@/lib/pages";
import { useProject } from "@/lib/use-project";

const tabs = [
  ["backups", "Backups"],
  ["transfer", "Import and export"],
  ["migrations", "Migrations"],
] as const;

/** What keeps a project's data: backups, what goes in and out, and what its tables have been through. */
export function Database() {
  const project = useProject();
  const [words, change] = useWords<"tab" | "backup" | "job" | "pages">();
  return (
    <>
      <PageHeader title="Database tools" description="Backups, data in and out, and what the tables have been through." />
      <Tabs
        value={words.tab ?? "backups"}
        onValueChange={(tab) => change({ tab: tab === "backups" ? undefined : tab, backup: undefined, job: undefined, pages: undefined })}
      >
        <TabsList aria-label="Tools">
          {tabs.map(([value, name]) => (
            <Tab key={value} value={value}>
              {name}
            </Tab>
          ))}
        </TabsList>
        <TabPanel value="backups">
          <Backups key={project} project={project} />
        </TabPanel>
        <TabPanel value="transfer">
          <Transfer key={project} project={project} />
        </TabPanel>
        <TabPanel value="migrations">
          <Migrations project={project} />
        </TabPanel>
      </Tabs>
    </>
  );
}
