//! The pages that the plugin `drive` carries, built into `plugins/drive/web/dist`,
//! from where its component takes them.

use crate::pages::Pages;

/// Its pages.
pub(crate) const DRIVE: Pages = Pages {
    name: "the drive",
    folder: "plugins/drive/web",
    sources: &[
        "src",
        "public",
        "scripts",
        "index.html",
        "package.json",
        "package-lock.json",
        "vite.config.ts",
    ],
    others: &[],
    stamp: ".built-from",
    index: "dist/index.html",
};
