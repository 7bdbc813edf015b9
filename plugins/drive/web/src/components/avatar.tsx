import { at } from "@/lib/place";

const colours = ["bg-teal-700", "bg-sky-700", "bg-violet-700", "bg-rose-700", "bg-amber-800", "bg-emerald-700"];

/** A user's picture, or the first letters of the name. */
export function Avatar({ id, name, has, size = 32 }: { id: string | undefined; name: string; has: string | null; size?: number }) {
  const style = { width: size, height: size, fontSize: size * 0.4 };
  if (id && has) {
    // The address tells which picture it is, so that another one is fetched.
    const version = /[?&]v=([^&]+)/.exec(has)?.[1];
    const pixels = size > 64 ? 256 : 128;
    return (
      <img
        src={at(`/users/${id}/avatar?size=${pixels}${version ? `&v=${version}` : ""}`)}
        alt={name}
        width={size}
        height={size}
        className="rounded-full object-cover"
        style={style}
      />
    );
  }
  const letters = name
    .split(/[\s@.]+/)
    .filter(Boolean)
    .slice(0, 2)
    .map((word) => [...word][0]?.toUpperCase() ?? "")
    .join("");
  const colour = colours[[...name].reduce((sum, letter) => sum + (letter.codePointAt(0) ?? 0), 0) % colours.length] ?? "";
  return (
    <span role="img" aria-label={name} className={`inline-flex items-center justify-center rounded-full font-semibold text-white ${colour}`} style={style}>
      <span aria-hidden>{letters || "?"}</span>
    </span>
  );
}
