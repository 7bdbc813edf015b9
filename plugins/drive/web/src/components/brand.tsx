import { Languages } from "lucide-react";
import { allLanguages, choose, currentLanguage, t } from "@/i18n";

export function Mark({ size = 32 }: { size?: number }) {
  return <img src="./icon.svg" alt="" width={size} height={size} className="rounded-lg" />;
}

const names = { en: "English", sw: "Kiswahili" };

export function LanguageChoice() {
  return (
    <label className="inline-flex items-center gap-2 text-sm text-muted">
      <Languages size={16} aria-hidden />
      <span className="sr-only">{t("language")}</span>
      <select
        className="rounded-lg border border-input bg-panel px-2 py-1.5 text-foreground"
        value={currentLanguage()}
        onChange={(event) => choose(event.target.value === "sw" ? "sw" : "en")}
      >
        {allLanguages().map((language) => (
          <option key={language} value={language} lang={language}>
            {names[language]}
          </option>
        ))}
      </select>
    </label>
  );
}
