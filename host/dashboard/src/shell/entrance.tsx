import type { ReactNode } from "react";
import { Card, CardBody } from "@/components/ui/card";
import { Logo } from "./logo";

/** The frame of the pages before one has signed in. */
export function Entrance({ title, description, children }: { title: string; description?: ReactNode; children: ReactNode }) {
  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <div className="w-full max-w-sm">
        <div className="mb-6 flex items-center gap-3">
          <Logo className="size-9" />
          <span className="text-lg font-semibold tracking-tight">AtlasHub</span>
        </div>
        <Card>
          <CardBody className="grid gap-4 pt-5">
            <div>
              <h1 className="text-base font-semibold">{title}</h1>
              {description && <p className="mt-1 text-[0.8125rem] text-muted">{description}</p>}
            </div>
            {children}
          </CardBody>
        </Card>
      </div>
    </main>
  );
}
