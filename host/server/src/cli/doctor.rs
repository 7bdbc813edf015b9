//! `atlashub doctor`: checks the set-up with the settings that `serve` would
//! use, and says what is missing and what to do. Changes nothing but for a
//! probe object that it removes again.

use super::client::block_on;
use crate::{
    assemble,
    config::{Config, ConfigArgs},
};
use anyhow::Context as _;
use atlashub_core::{BucketName, PluginName, ProjectId, capability::blob::ObjectKey};
use atlashub_data::platform::Platform;
use atlashub_storage::{ObjectPath, WriteMode};
use bytes::Bytes;
use clap::Args;
use std::{
    fs,
    net::TcpListener,
    process::{Command, ExitCode, Stdio},
};

/// A component that does nothing: the shortest there is.
const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// Flags of `doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

/// What a check found.
enum Finding {
    Good(String),
    /// Works, but somebody should know.
    Note(String),
}

type Check = anyhow::Result<Finding>;

/// Runs all checks; ends with 1 when one fails.
///
/// # Errors
/// Never: what fails is printed.
pub(crate) fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let config = match Config::load(&args.config) {
        Ok(config) => config,
        Err(error) => {
            print("settings", &Err(error));
            return Ok(ExitCode::FAILURE);
        }
    };
    let checks: Vec<(&str, Check)> = vec![
        ("settings", settings(&config)),
        ("data folder", data_folder(&config)),
        ("master key", master_key(&config)),
        ("database", block_on(database(&config))),
        ("object store", block_on(object_store(&config))),
        ("compile worker", block_on(compile_worker(&config))),
        ("address", address(&config)),
        ("cargo", cargo()),
        ("wasm target", wasm_target()),
    ];
    let failures = checks.iter().filter(|(_, check)| check.is_err()).count();
    for (name, check) in &checks {
        print(name, check);
    }
    if failures == 0 {
        println!("everything that a node needs is there");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{failures} of {} checks failed", checks.len());
    Ok(ExitCode::FAILURE)
}

fn print(name: &str, check: &Check) {
    match check {
        Ok(Finding::Good(text)) => println!("  ok    {name:<15} {text}"),
        Ok(Finding::Note(text)) => println!("  note  {name:<15} {text}"),
        Err(error) => println!("  FAIL  {name:<15} {error:#}"),
    }
}

fn settings(config: &Config) -> Check {
    if config.unknown.is_empty() {
        return Ok(Finding::Good("understood".to_owned()));
    }
    Ok(Finding::Note(format!(
        "no such setting: {}",
        config.unknown.join(", ")
    )))
}

fn data_folder(config: &Config) -> Check {
    let folder = &config.data_dir.0;
    if !folder.exists() {
        return Ok(Finding::Note(format!(
            "{} is made by the first start",
            folder.display()
        )));
    }
    anyhow::ensure!(
        folder.is_dir(),
        "{} is a file: choose another with --data-dir or ATLASHUB_DATA_DIR",
        folder.display()
    );
    let probe = folder.join(format!("doctor-{}", std::process::id()));
    fs::write(&probe, b"probe")
        .and_then(|()| fs::remove_file(&probe))
        .with_context(|| {
            format!(
                "cannot write in {}: check its owner and free space",
                folder.display()
            )
        })?;
    Ok(Finding::Good(format!("{} is writable", folder.display())))
}

fn master_key(config: &Config) -> Check {
    if config.secrets.master_key.is_some() {
        assemble::sealer(config)?;
        return Ok(Finding::Good("set by ATLASHUB_MASTER_KEY".to_owned()));
    }
    let path = assemble::master_key_file(config);
    if path.exists() {
        assemble::sealer(config)?;
        return Ok(Finding::Good(format!(
            "in {}: keep a copy of it elsewhere",
            path.display()
        )));
    }
    assemble::may_make_master_key(config)?;
    Ok(Finding::Note(format!(
        "{} is made by the first start",
        path.display()
    )))
}

async fn database(config: &Config) -> Check {
    if config.database.url.is_none() && !config.data_dir.0.join(assemble::DATABASE_FILE).exists() {
        return Ok(Finding::Note(
            "a SQLite file is made by the first start".to_owned(),
        ));
    }
    let platform = assemble::platform(config).await?;
    platform
        .ping()
        .await
        .context("the database does not answer")?;
    let pending = platform
        .pending_migrations()
        .await
        .context("the database cannot be read")?;
    if pending.is_empty() {
        check_seal(config, &platform).await?;
        return Ok(Finding::Good("answers, up to date".to_owned()));
    }
    Ok(Finding::Note(format!(
        "answers; {} migrations are pending, `atlashub migrate` or the next start applies them",
        pending.len()
    )))
}

/// That the master key is the one with which this database was sealed, as far
/// as anything was.
async fn check_seal(config: &Config, platform: &Platform) -> anyhow::Result<()> {
    let has_key = config.secrets.master_key.is_some() || assemble::master_key_file(config).exists();
    if !has_key {
        // Said of the master key itself; asking for it would make one.
        return Ok(());
    }
    let sealer = assemble::sealer(config)?;
    let key = platform.auth().newest_signing_key().await?;
    anyhow::ensure!(
        key.is_none_or(|key| sealer.is_own(&key.sealed_private_key)),
        "its secrets were sealed with another master key: set ATLASHUB_MASTER_KEY to that one, \
         or, where keys were changed, to both, the new one first, with a comma between"
    );
    Ok(())
}

async fn object_store(config: &Config) -> Check {
    if config.storage.url.is_none() && !config.data_dir.0.exists() {
        return Ok(Finding::Note(
            "a folder is made by the first start".to_owned(),
        ));
    }
    // Opening a folder tidies it up, which a running node must not suffer.
    let owned = match (
        config.storage_url().starts_with("fs:"),
        config.is_embedded(),
    ) {
        (false, _) => None,
        (true, true) => match assemble::own_data_folder(config) {
            Ok(owned) => owned,
            Err(error) => return Ok(Finding::Note(format!("not probed: {error:#}"))),
        },
        (true, false) => {
            return Ok(Finding::Note(
                "a folder: every node needs the same one".to_owned(),
            ));
        }
    };
    let storage = assemble::storage(config)?;
    storage
        .check()
        .await
        .context("the object store does not answer")?;
    let bucket: BucketName = "doctor".parse()?;
    let plugin: PluginName = "doctor".parse()?;
    let key: ObjectKey = "probe".parse()?;
    let path = ObjectPath::object(ProjectId::new(), &bucket, &plugin, &key)?;
    let sent = Bytes::from_static(b"probe");
    storage
        .write_bytes(&path, sent.clone(), WriteMode::Replace)
        .await
        .context("cannot write an object")?;
    let read = storage
        .read_bytes(&path, 1_024)
        .await
        .context("cannot read an object back")?;
    storage
        .delete(&path)
        .await
        .context("cannot delete an object")?;
    drop(owned);
    anyhow::ensure!(read == sent, "an object came back changed");
    Ok(Finding::Good("writes, reads, deletes".to_owned()))
}

/// Has the worker compile a plugin, as it would an upload: under the limits that
/// are set, and with its answer looked at.
async fn compile_worker(config: &Config) -> Check {
    let compiler = assemble::compiler(config)?;
    let plugins = crate::builtin::plugins();
    // The shortest: others take a small machine minutes.
    let plugin = plugins.iter().min_by_key(|plugin| plugin.component.len());
    let (name, component) = plugin.map_or(("a component", EMPTY_COMPONENT), |plugin| {
        (plugin.name, &*plugin.component)
    });
    compiler.try_out(component).await.with_context(|| {
        let limits = compiler.limits();
        format!(
            "the compile worker could not compile {name} with {} MiB in {} s: is this program's \
             file still there, is the address space limited (ulimit -v), or are \
             ATLASHUB_COMPILE_MEMORY_MIB and ATLASHUB_COMPILE_SECONDS too small?",
            limits.memory_mib,
            limits.time.as_secs()
        )
    })?;
    Ok(Finding::Good(format!("compiles {name}")))
}

fn address(config: &Config) -> Check {
    let address = config.network.listen;
    match TcpListener::bind(address) {
        Ok(_) => Ok(Finding::Good(format!("{address} is free"))),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Ok(Finding::Note(format!(
            "{address} is in use: by a running node, or by another program"
        ))),
        Err(error) => Err(error).with_context(|| format!("cannot listen on {address}")),
    }
}

fn cargo() -> Check {
    Ok(match said_by(&mut Command::new("cargo"), &["--version"]) {
        Some(version) => Finding::Good(version),
        None => Finding::Note(
            "not found; only needed to build plugins in Rust, see https://rustup.rs".to_owned(),
        ),
    })
}

fn wasm_target() -> Check {
    let sysroot = said_by(&mut Command::new("rustc"), &["--print", "sysroot"]);
    let installed = sysroot.is_some_and(|root| {
        std::path::Path::new(&root)
            .join("lib/rustlib/wasm32-wasip2")
            .is_dir()
    });
    Ok(if installed {
        Finding::Good("wasm32-wasip2 is installed".to_owned())
    } else {
        Finding::Note(
            "wasm32-wasip2 is missing; to build plugins: `rustup target add wasm32-wasip2`"
                .to_owned(),
        )
    })
}

/// The first line that a program prints, when it succeeds.
fn said_by(command: &mut Command, args: &[&str]) -> Option<String> {
    let output = command.args(args).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output
        .status
        .success()
        .then(|| text.lines().next().map(str::to_owned))?
}
