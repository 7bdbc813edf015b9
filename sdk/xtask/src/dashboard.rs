//! The dashboard, built into `host/dashboard/dist`, from where the server takes
//! it into itself.

use crate::pages::Pages;

/// Its pages.
pub(crate) const DASHBOARD: Pages = Pages {
    name: "the dashboard",
    folder: "host/dashboard",
    sources: &[
        "src",
        "public",
        "scripts",
        "index.html",
        "package.json",
        "package-lock.json",
        "vite.config.ts",
    ],
    others: &["docs/openapi.json"],
    stamp: "dist/built-from",
    index: "dist/www/index.html",
};
