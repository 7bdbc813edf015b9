import { type ReactNode, useEffect } from "react";

/** The head of a page, and its name in the browser's tab. */
export function PageHeader({
  title,
  description,
  actions,
  badge,
}: {
  title: string;
  description?: ReactNode;
  actions?: ReactNode;
  badge?: ReactNode;
}) {
  useEffect(() => {
    document.title = `${title} · AtlasHub`;
  }, [title]);
  return (
    <header className="mb-5 flex flex-wrap items-start gap-x-4 gap-y-3">
      <div className="min-w-0 flex-1 basis-64">
        <h1 className="flex flex-wrap items-center gap-2 text-xl font-semibold tracking-tight">
          <span className="min-w-0 truncate" title={title}>
            {title}
          </span>
          {badge}
        </h1>
        {description && <p className="mt-1 max-w-3xl text-[0.8125rem] text-muted">{description}</p>}
      </div>
      {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
    </header>
  );
}
