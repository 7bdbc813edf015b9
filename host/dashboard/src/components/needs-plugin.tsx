import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { installationsQuery } from "@/api/queries";
import { Empty, Failure, Loading } from "./states";
import { Button } from "./ui/button";
import { Card } from "./ui/card";

/** Whether a plugin of the project serves; nothing while that is not known. */
export function usePluginOn(project: string, name: string): boolean | undefined {
  const { data } = useQuery(installationsQuery(project));
  return data?.items.some((one) => one.name === name && one.enabled);
}

/** What a page shows that is a plugin's, where the plugin is on; else how to get it. */
export function NeedsPlugin({ project, name, icon, title, what, children }: { project: string; name: string; icon: LucideIcon; title: string; what: ReactNode; children: ReactNode }) {
  const { data, error, refetch } = useQuery(installationsQuery(project));
  const found = data?.items.find((one) => one.name === name);
  if (found?.enabled) return children;
  return (
    <Card>
      {error && !data ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Loading />
      ) : (
        <Empty
          icon={icon}
          title={title}
          action={
            <Button asChild variant="primary">
              {found ? (
                <Link to="/projects/$project/plugins/$plugin" params={{ project, plugin: name }}>
                  To the plugin
                </Link>
              ) : (
                <Link to="/projects/$project/plugins" params={{ project }}>
                  To the plugins
                </Link>
              )}
            </Button>
          }
        >
          {what}
        </Empty>
      )}
    </Card>
  );
}
