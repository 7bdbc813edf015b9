//! What a project's database has before it has tables, and what each table
//! gets before anybody but its owner can reach it.

use super::super::names::{self, literal, quoted};
use atlashub_core::ProjectId;

/// The schema of the functions that policies use. No plugin's schema begins
/// with an underscore.
pub(in crate::project::postgres) const SCHEMA: &str = "_atlashub";
/// The policy that lets the service role reach every row.
pub(super) const SERVICE_POLICY: &str = "ah service";

/// What a statement of a caller may call. The settings are the host's: a
/// caller's statement cannot set any (see `guard`), nor call what could.
const FUNCTIONS: &str = "
CREATE OR REPLACE FUNCTION _atlashub.caller_id() RETURNS uuid
  LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('atlashub.caller_id', true), '')::uuid $$;
CREATE OR REPLACE FUNCTION _atlashub.caller_role() RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT coalesce(nullif(current_setting('atlashub.caller_role', true), ''), 'anon') $$;
CREATE OR REPLACE FUNCTION _atlashub.caller_claims() RETURNS jsonb
  LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT coalesce(nullif(current_setting('atlashub.caller_claims', true), ''), '{}')::jsonb $$;
CREATE OR REPLACE FUNCTION _atlashub.caller_has_role(name text) RETURNS boolean
  LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT name = coalesce(nullif(current_setting('atlashub.caller_role', true), ''), 'anon')
    OR coalesce(nullif(current_setting('atlashub.caller_roles', true), ''), '[]')::jsonb ? name $$;
";

/// The functions that policies use, in another schema.
pub(in crate::project::postgres) fn functions(schema: &str) -> String {
    FUNCTIONS.replace(&format!("{SCHEMA}."), &format!("{schema}."))
}

/// Statements of the server's admin within a project's database. Again is
/// fine.
pub(in crate::project::postgres) fn database(project: ProjectId) -> Vec<String> {
    let (owner, app, service) = (
        quoted(&names::owner(project)),
        quoted(&names::app(project)),
        quoted(&names::service(project)),
    );
    vec![
        "REVOKE ALL ON SCHEMA public FROM PUBLIC".to_owned(),
        format!("GRANT ALL ON SCHEMA public TO {owner}"),
        format!("GRANT USAGE ON SCHEMA public TO {app}, {service}"),
        // A new table is nobody's until `reconcile` has seen it.
        default_privileges(&owner, "TABLES", &app),
        default_privileges(&owner, "SEQUENCES", &app),
        format!("CREATE SCHEMA IF NOT EXISTS {SCHEMA}"),
        format!("REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC"),
        FUNCTIONS.to_owned(),
        format!("GRANT USAGE ON SCHEMA {SCHEMA} TO {owner}, {app}, {service}"),
        format!("CREATE TABLE IF NOT EXISTS {SCHEMA}.changes (mark text PRIMARY KEY, sql text)"),
        format!("GRANT SELECT, INSERT, DELETE ON {SCHEMA}.changes TO {owner}"),
    ]
}

fn default_privileges(owner: &str, what: &str, from: &str) -> String {
    format!(
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public REVOKE ALL ON {what} FROM {from}"
    )
}

/// One statement of the owner that brings every table under the policies
/// and then gives callers access: within the transaction that changed
/// tables, so that nobody sees one without.
///
/// Views show their caller what the caller may see. What has no row-level
/// security (materialized views, foreign tables) is for servers alone.
pub(super) fn reconcile(project: ProjectId) -> String {
    let (app, service) = (names::app(project), names::service(project));
    format!(
        "DO $atlashub$
DECLARE
  app constant text := {app};
  service constant text := {service};
  service_policy constant text := {policy};
  item record;
BEGIN
  FOR item IN
    SELECT c.oid, c.relname, c.relkind, c.relrowsecurity,
      coalesce('security_invoker=true' = ANY (c.reloptions), false) AS invoker,
      EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = service_policy) AS served
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace
      AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      AND pg_get_userbyid(c.relowner) = current_user
  LOOP
    IF item.relkind IN ('r', 'p') THEN
      IF NOT item.relrowsecurity THEN
        EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', item.relname);
      END IF;
      IF NOT item.served THEN
        EXECUTE format('CREATE POLICY %I ON public.%I TO %I USING (true) WITH CHECK (true)',
          service_policy, item.relname, service);
      END IF;
      EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON public.%I TO %I, %I',
        item.relname, app, service);
    ELSIF item.relkind = 'v' THEN
      IF NOT item.invoker THEN
        EXECUTE format('ALTER VIEW public.%I SET (security_invoker = true)', item.relname);
      END IF;
      EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON public.%I TO %I, %I',
        item.relname, app, service);
    ELSIF item.relkind = 'S' THEN
      EXECUTE format('GRANT USAGE, SELECT ON SEQUENCE public.%I TO %I, %I',
        item.relname, app, service);
    ELSE
      EXECUTE format('REVOKE ALL ON public.%I FROM PUBLIC, %I', item.relname, app);
      EXECUTE format('GRANT SELECT ON public.%I TO %I', item.relname, service);
    END IF;
  END LOOP;
END
$atlashub$",
        app = literal(&app),
        service = literal(&service),
        policy = literal(SERVICE_POLICY),
    )
}
