import type { ReactNode } from "react";

export function Title({ children, actions }: { children: ReactNode; actions?: ReactNode }) {
  return (
    <header className="flex min-h-14 flex-wrap items-center gap-3 px-4 pt-2 pb-2 md:px-6 md:pt-4">
      <h1 className="min-w-0 flex-1 text-lg font-semibold">{children}</h1>
      {actions}
    </header>
  );
}
