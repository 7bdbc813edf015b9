import { AuditList } from "@/components/audit-list";
import { PageHeader } from "@/components/page";
import { Badge } from "@/components/ui/badge";
import { useWords } from "@/lib/pages";

export function AuditPage() {
  const [words, change] = useWords<"project" | "actor" | "action" | "target" | "from" | "pages" | "entry">();
  return (
    <>
      <PageHeader
        title="Audit"
        description="Who did what on this platform. Entries are only ever added; the database itself refuses anything else."
        badge={words.project ? <Badge tone="accent">{words.project}</Badge> : undefined}
      />
      <AuditList words={words} change={change} />
    </>
  );
}
