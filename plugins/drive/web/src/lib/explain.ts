import { type Key, t } from "@/i18n";
import { Refused } from "./refused";

/** Codes of the interface that users meet, in their language. */
const known: Record<string, Key> = {
  invalid_credentials: "error_credentials",
  invalid_totp_code: "error_code",
  totp_required: "error_code_needed",
  email_not_verified: "error_unverified",
  email_taken: "error_email_taken",
  sign_up_closed: "error_sign_up_closed",
  sign_in_disabled: "error_sign_in_disabled",
  rate_limited: "error_rate",
  quota_exceeded: "error_quota",
  not_set_up: "error_not_set_up",
  user_not_found: "error_nobody",
  type_refused: "error_type",
  unsupported_type: "error_type",
  weak_password: "error_weak_password",
  invalid_handle: "error_handle",
  handle_taken: "error_handle",
  path_taken: "error_path_taken",
  invalid_phone: "error_phone",
};

/** What went wrong, as a user can do something with it. */
export function explain(error: unknown): string {
  if (error instanceof Refused) {
    const key = known[error.code];
    if (key) return t(key);
    if (error.status === 412) return t("error_stale");
    if (error.status === 413) return t("error_quota");
    if (error.status === 429) return t("error_rate");
    if (error.status >= 500) return t("error_server");
    return error.message;
  }
  if (error instanceof TypeError) return t("error_network");
  return error instanceof Error ? error.message : String(error);
}
