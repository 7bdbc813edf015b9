//! The documents, walked as they are printed: every block of commands in
//! `docs/QUICKSTART.md`, and in `docs/USAGE.md` of what an account can do, runs
//! in order, in one shell, and prints what the block of output below it says.

use atlashub_tests::TestServer;
use std::{fmt::Write as _, path::Path, process::Stdio};

/// The address in the documents; the server of the test has another.
const PRINTED: &str = "http://127.0.0.1:8080";

/// Stands for any text in a block of output.
const ANYTHING: char = '…';

/// A block of commands and, where the document prints it, what they say.
struct Step {
    line: usize,
    commands: String,
    output: Option<String>,
}

/// The blocks of a document between fences named `sh` and `output`.
fn steps(document: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut block: Option<(&str, usize, String)> = None;
    for (number, line) in document.lines().enumerate() {
        match (&mut block, line.strip_prefix("```")) {
            (None, Some(kind)) => block = Some((kind, number + 1, String::new())),
            (None, None) => {}
            (Some((_, _, text)), None) => writeln!(text, "{line}").unwrap(),
            (Some(_), Some(_)) => match block.take() {
                Some(("sh", line, commands)) => steps.push(Step {
                    line,
                    commands,
                    output: None,
                }),
                Some(("output", line, text)) => {
                    let step = steps.last_mut().expect("output follows commands");
                    assert!(step.output.is_none(), "two outputs, the second at {line}");
                    step.output = Some(text);
                }
                _ => {}
            },
        }
    }
    assert!(block.is_none(), "the last block has no end");
    steps
}

/// Whether `text` is what `printed` says, line ends and blanks aside.
fn fits(printed: &str, text: &str) -> bool {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (printed, text) = (one_line(printed), one_line(text));
    let mut pieces = printed.split(ANYTHING);
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut last = first;
    let mut any = false;
    for piece in pieces {
        any = true;
        last = piece;
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.is_empty() || (any && (last.is_empty() || text.ends_with(last)))
}

#[test]
fn printed_output_is_compared_as_it_says() {
    for (printed, text, fit) in [
        ("one", "one\n", true),
        ("one", "one two", false),
        ("{\"id\":\"…\"}", "{\"id\":\"5\"}", true),
        ("{\"id\":\"…\"}", "{\"id\":\"5\"} and more", false),
        ("a … c", "a b c", true),
        ("…", "whatever", true),
        ("a …", "b", false),
    ] {
        assert_eq!(fits(printed, text), fit, "`{printed}` and `{text}`");
    }
}

/// A document of the repository.
fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name);
    std::fs::read_to_string(&path).expect("read the document")
}

/// The part of a document below a heading, as far as the next of its kind.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let (_, rest) = document.split_once(heading).expect("the heading");
    let end = ["\n## ", "\n### "]
        .iter()
        .filter_map(|next| rest.find(next))
        .min();
    rest.split_at(end.unwrap_or(rest.len())).0
}

/// Runs all steps of a document against a server of its own.
async fn walk(name: &str) {
    let server = TestServer::start().await;
    walk_on(&server, name, &document(name), "").await;
}

/// Runs all steps of a text, after what is not printed in it.
async fn walk_on(server: &TestServer, name: &str, document: &str, before: &str) {
    let steps = steps(document);
    assert!(!steps.is_empty(), "{name} has no commands");
    let folder = tempfile::tempdir().unwrap();
    let mut script = format!("set -euo pipefail\n{before}\n");
    for (number, step) in steps.iter().enumerate() {
        let commands = step.commands.replace(PRINTED, &server.url(""));
        write!(script, "{commands}\necho; echo '== end of step {number}'\n").unwrap();
    }
    let programs = server.programs();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let ran = tokio::process::Command::new("bash")
        .arg("-c")
        .arg(format!("exec 2>&1\n{script}"))
        .env("PATH", path)
        .env("XDG_CONFIG_HOME", folder.path().join("config"))
        .env_remove("ATLASHUB_DEV_ADMIN_TOKEN")
        .env_remove("ATLASHUB_URL")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .await
        .expect("run bash");
    let said = String::from_utf8_lossy(&ran.stdout);
    let mut rest = said.as_ref();
    for (number, step) in steps.iter().enumerate() {
        let end = format!("== end of step {number}\n");
        let Some((output, after)) = rest.split_once(&end) else {
            panic!(
                "{name}, line {}: the commands\n{}\nfailed:\n{rest}",
                step.line, step.commands
            );
        };
        rest = after;
        if let Some(printed) = &step.output {
            assert!(
                fits(printed, output),
                "{name}, line {}: the commands\n{}\nsay\n{output}\nand the document\n{printed}",
                step.line,
                step.commands
            );
        }
    }
    assert!(ran.status.success(), "{rest}");
}

#[tokio::test]
async fn the_quick_start_works_as_it_is_printed() {
    walk("QUICKSTART.md").await;
}

/// What stands for a mailbox and an authenticator app, and the project's keys.
const ACCOUNT: &str = r#"
export ATLASHUB_API_URL=@ADDRESS@ ATLASHUB_PUBLISHABLE_KEY=@KEY@
mailed() { # ADDRESS NUMBER
  local from=() tries
  for tries in $(seq 600); do
    mapfile -t from < <(grep -l "^To: $1" @OUTBOX@/*.eml 2>/dev/null | sort)
    if [ "${#from[@]}" -ge "$2" ]; then break; fi
    sleep 0.05
  done
  python3 -c 'import quopri,re,sys; print(re.search(rb"token=([\w-]+)", quopri.decodestring(open(sys.argv[1],"rb").read())).group(1).decode())' "${from[-1]}"
}
totp() { # SECRET
  python3 -c 'import base64,hmac,struct,sys,time
secret = base64.b32decode(sys.argv[1] + "=" * (-len(sys.argv[1]) % 8))
mac = hmac.digest(secret, struct.pack(">Q", int(time.time()) // 30), "sha1")
at = mac[-1] & 15
print(f"{(struct.unpack(chr(62) + chr(73), mac[at:at + 4])[0] & 0x7fffffff) % 10**6:06}")' "$1"
}
"#;

#[tokio::test]
async fn an_account_works_as_the_usage_prints_it() {
    let server = TestServer::start().await;
    let project = server.admin().project().await;
    let outbox = server.folder().join("node-0/data/outbox");
    let before = ACCOUNT
        .replace("@ADDRESS@", &server.url(""))
        .replace("@KEY@", &project.publishable)
        .replace("@OUTBOX@", &outbox.display().to_string());
    let usage = document("USAGE.md");
    let text = section(&usage, "### An account, call by call\n");
    walk_on(&server, "USAGE.md", text, &before).await;
}
