//! Opens every part that the settings name and puts them together.

use crate::{
    config::{self, Config, Presign},
    private_file,
};
use anyhow::{Context as _, bail};
use atlashub_app::backups::{ArchiveKeys, Backups, BackupsParts};
use atlashub_app::engine_move::{EngineMover, MoveOptions, MoveSide, MoveTold};
use atlashub_app::{
    App, AppParts, AppSettings, BackupSettings, MailSettings, SealedCredentials, StreamLimits,
    limits::CallerRates,
};
use atlashub_core::{SystemClock, token};
use atlashub_data::{
    platform::{Engine, Platform, PlatformOptions, seal::Sealer},
    project::{Options as ProjectOptions, ProjectDatabases},
};
use atlashub_runtime::{CompileCache, CompileLimits, Compiler, EgressPolicy, RuntimeOptions};
use atlashub_storage::{Credentials, Storage, StorageUrl};
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

/// The file in the data folder that holds the master key.
const MASTER_KEY_FILE: &str = "master.key";

/// The file in the data folder that is the platform database, unless settings
/// name another.
pub(crate) const DATABASE_FILE: &str = "platform.db";

/// The file in the data folder that the node using it has locked.
const LOCK_FILE: &str = "node.lock";

/// Opens the parts and starts the use cases.
///
/// # Errors
/// Says which part cannot be opened and what to change.
pub(crate) async fn app(config: &Config) -> anyhow::Result<App> {
    data_folder(config)?;
    let sealer = sealer(config)?;
    let platform = platform(config).await?;
    let applied = platform
        .migrate()
        .await
        .context("cannot migrate the platform database")?;
    if !applied.is_empty() {
        tracing::info!(count = applied.len(), "migrated the platform database");
    }
    platform.check_moved().await?;
    let databases = databases(config, &platform, &sealer)?;
    let storage = storage(config)?;
    let backups = BackupSettings {
        archives: archives(config, &storage)?,
        keys: config.backups.keys()?,
        scratch: scratch(config),
        usual_policy: config.backups.policy(),
    };
    let cache = CompileCache::open(
        config.data_dir.0.join("compiled"),
        sealer.derive("compile-cache"),
    )
    .context("cannot open the cache of compiled code in the data folder")?;
    App::start(AppParts {
        backups,
        builtin: crate::builtin::plugins(),
        settings: settings(config)?,
        clock: Arc::new(SystemClock),
        platform,
        databases,
        storage,
        sealer,
        runtime: RuntimeOptions {
            concurrency: config.limits.concurrency(),
            project_concurrency: config.limits.project_concurrency(),
            uploads: config.limits.uploads(),
            guest_bytes_per_second: config.limits.plugin_bytes_per_second,
            ..RuntimeOptions::default()
        },
        compiler: compiler(config)?,
        cache,
        mail: MailSettings {
            smtp_url: config.network.smtp_url.clone().map(SecretString::from),
            smtp_ca: config.network.smtp_ca()?,
            from: config.network.mail_from(),
            outbox: config.data_dir.0.join("outbox"),
        },
        egress: EgressPolicy::parse(&config.network.egress_allow.join(","))?
            .with_max_response_bytes(config.limits.egress_response_bytes),
    })
    .await
    .context("cannot start")
}

/// Compiles in processes of this program's own, under the limits that are set.
///
/// # Errors
/// When the program's file is not known.
pub(crate) fn compiler(config: &Config) -> anyhow::Result<Compiler> {
    let executable = std::env::current_exe().context("cannot find this program's own file")?;
    let limits = CompileLimits {
        max_bytes: config.limits.max_component(),
        time: config.limits.compile_time(),
        memory_mib: config.limits.compile_memory_mib,
    };
    Ok(Compiler::worker(executable, limits))
}

/// Keeps a second node from using the same embedded data; ends with the file,
/// or with the process in whatever way that ends.
///
/// # Errors
/// When another node has the folder.
pub(crate) fn own_data_folder(config: &Config) -> anyhow::Result<Option<fs::File>> {
    data_folder(config)?;
    if !config.is_embedded() {
        return Ok(None);
    }
    let folder = &config.data_dir.0;
    let path = folder.join(LOCK_FILE);
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => bail!(
            "another node is using the data folder {}: end it, or choose another folder with --data-dir",
            folder.display()
        ),
        Err(fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

fn settings(config: &Config) -> anyhow::Result<AppSettings> {
    Ok(AppSettings {
        public_url: config.network.public_url(),
        issuer: config.network.issuer(),
        base_domain: config.tenancy.base_domain(),
        default_project: config.tenancy.default_project()?,
        requests_per_second: config.limits.requests_per_second,
        caller_rates: CallerRates {
            reads: config.limits.caller_reads_per_second,
            writes: config.limits.caller_writes_per_second,
            auth: config.limits.auth_requests_per_second,
            admin: config.limits.admin_requests_per_second,
        },
        streams: StreamLimits {
            of_project: config.limits.streams_per_project,
            of_caller: config.limits.streams_per_caller,
        },
        queue: config.queue.settings(),
        series_every: config.telemetry.series_every(),
        cloudflare_access: config.access.settings(config.secrets.is_development())?,
        in_development: config.secrets.is_development(),
        admin_session: time::Duration::minutes(config.limits.admin_session_minutes.into()),
        dev_admin_token: config.secrets.dev_admin_token.as_deref().map(token::hash),
    })
}

/// Makes the data folder when it is missing.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn data_folder(config: &Config) -> anyhow::Result<()> {
    let folder = &config.data_dir.0;
    fs::create_dir_all(folder).with_context(|| {
        format!(
            "cannot make the data folder {}: choose another with --data-dir or ATLASHUB_DATA_DIR",
            folder.display()
        )
    })
}

/// The sealer with the configured master key, or with the one in the data
/// folder, made there on the first embedded run.
///
/// # Errors
/// When there is no key and none may be made.
pub(crate) fn sealer(config: &Config) -> anyhow::Result<Sealer> {
    let text = match &config.secrets.master_key {
        Some(text) => SecretString::from(text.as_str()),
        None => kept_master_key(config)?,
    };
    Sealer::from_base64(&text).context("the master key cannot be read")
}

fn kept_master_key(config: &Config) -> anyhow::Result<SecretString> {
    let path = config.data_dir.0.join(MASTER_KEY_FILE);
    match read_key(&path) {
        Ok(text) => return Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    may_make_master_key(config)?;
    let key = Sealer::generate_key().context("cannot make a master key")?;
    private_file::create(&path, key.expose_secret().as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    read_key(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// That a master key may be made in the data folder, which holds none.
///
/// # Errors
/// When it may not, with what to do.
pub(crate) fn may_make_master_key(config: &Config) -> anyhow::Result<()> {
    if !config.is_embedded() {
        bail!(
            "ATLASHUB_MASTER_KEY is not set: with Postgres it is required, the same on every node; \
             make one with `openssl rand -base64 32`"
        );
    }
    if config.data_dir.0.join(DATABASE_FILE).exists() {
        bail!(
            "{} is missing, and the database beside it was sealed with it: put the file back, or set ATLASHUB_MASTER_KEY",
            master_key_file(config).display()
        );
    }
    Ok(())
}

fn read_key(path: &Path) -> io::Result<SecretString> {
    fs::read_to_string(path).map(|text| SecretString::from(text.trim()))
}

/// Opens the platform database.
///
/// # Errors
/// When it cannot be reached.
pub(crate) async fn platform(config: &Config) -> anyhow::Result<Platform> {
    let options = PlatformOptions {
        max_connections: config.database.max_connections,
        ..PlatformOptions::default()
    };
    Platform::connect(&SecretString::from(config.database_url()), options)
        .await
        .context("cannot open the platform database, see ATLASHUB_DATABASE_URL")
}

fn databases(
    config: &Config,
    platform: &Platform,
    sealer: &Sealer,
) -> anyhow::Result<ProjectDatabases> {
    let options = ProjectOptions {
        client_programs: config.backups.pg_bin.clone(),
        ..ProjectOptions::default()
    };
    match platform.engine() {
        Engine::Sqlite => Ok(ProjectDatabases::sqlite(
            config.data_dir.0.join("projects"),
            options,
        )),
        Engine::Postgres => {
            let credentials = SealedCredentials::new(platform.clone(), sealer.clone());
            ProjectDatabases::postgres(&config.database_url(), Arc::new(credentials), options)
                .context(
                    "cannot use the Postgres server of ATLASHUB_DATABASE_URL for project databases",
                )
        }
    }
}

/// Opens what backups need, for a command that makes or restores one while no
/// node does. The platform database is brought up to date.
///
/// # Errors
/// Says which part cannot be opened and what to change.
pub(crate) async fn backups(config: &Config) -> anyhow::Result<(Backups, Platform)> {
    data_folder(config)?;
    let sealer = sealer(config)?;
    let platform = platform(config).await?;
    platform
        .migrate()
        .await
        .context("cannot migrate the platform database")?;
    platform.check_moved().await?;
    let databases = databases(config, &platform, &sealer)?;
    let storage = storage(config)?;
    let archives = archives(config, &storage)?;
    let keys = config.backups.keys()?;
    let backups = Backups::new(
        BackupsParts {
            platform: platform.clone(),
            storage: storage.with_locations(databases.locations().clone()),
            databases,
            archives,
            keys: keys.unwrap_or_else(|| ArchiveKeys::new(sealer.derive_all("backups"))),
            sealer,
            link_keys: Vec::new(),
            public_url: config.network.public_url(),
            clock: Arc::new(SystemClock),
            scratch: scratch(config),
            usual_policy: None,
        },
        CancellationToken::new(),
    );
    backups.find_locations().await?;
    Ok((backups, platform))
}

/// That there is an installation in the embedded database.
///
/// # Errors
/// When there is none, in words.
pub(crate) fn check_is_there(config: &Config) -> anyhow::Result<()> {
    let url = config.database_url();
    let path = url.strip_prefix("sqlite:").unwrap_or(&url);
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    if Path::new(path).exists() {
        return Ok(());
    }
    bail!("there is no installation: {path} does not exist, see --data-dir")
}

/// Opens both sides of a move: this installation, and where it goes.
///
/// # Errors
/// Says which part cannot be opened and what to change.
pub(crate) async fn engine_mover(
    config: &Config,
    to_database: &str,
    to_storage: Option<&str>,
    leave_out: BTreeSet<String>,
    told: MoveTold,
) -> anyhow::Result<EngineMover> {
    let sealer = sealer(config)?;
    let source = platform(config).await?;
    let mut target_config = config.clone();
    target_config.database.url = Some(to_database.to_owned());
    if let Some(url) = to_storage {
        target_config.storage.url = Some(url.to_owned());
    }
    let target = platform(&target_config)
        .await
        .context("cannot open the database of --to-database")?;
    let source_storage = storage(config)?;
    let target_storage = match to_storage {
        Some(_) => storage(&target_config).context("cannot open the store of --to-storage")?,
        None => source_storage.clone(),
    };
    let options = MoveOptions {
        leave_out,
        objects: to_storage.is_some(),
        archives: config.backups.url.is_none(),
    };
    let mover = EngineMover::new(
        MoveSide {
            databases: databases(config, &source, &sealer)?,
            platform: source,
            storage: source_storage,
        },
        MoveSide {
            databases: databases(&target_config, &target, &sealer)?,
            platform: target,
            storage: target_storage,
        },
        options,
        told,
    )?;
    Ok(mover)
}

/// Opens the store of backups: the object store unless settings name another.
fn archives(config: &Config, objects: &Storage) -> anyhow::Result<Storage> {
    let Some(url) = &config.backups.url else {
        return Ok(objects.as_it_lies());
    };
    let url: StorageUrl = url.parse().context("ATLASHUB_BACKUP_URL cannot be read")?;
    let url = match config.storage.presign {
        Presign::On => url,
        Presign::Off => url.without_links(),
    };
    let own = &config.backups;
    let credentials = match (&own.access_key_id, &own.secret_access_key) {
        (Some(id), Some(secret)) => Some(Credentials {
            access_key_id: id.clone(),
            secret_access_key: secret.clone().into(),
            session_token: None,
        }),
        _ => Credentials::read(config::variable)?,
    };
    Storage::open(&url, credentials.as_ref())
        .context("cannot open the store of backups, see ATLASHUB_BACKUP_URL")
}

/// Where something lies while an archive is made or read.
fn scratch(config: &Config) -> PathBuf {
    config.data_dir.0.join("backup-scratch")
}

/// Opens the object store.
///
/// # Errors
/// When its address or its keys are of no use.
pub(crate) fn storage(config: &Config) -> anyhow::Result<Storage> {
    let url: StorageUrl = config
        .storage_url()
        .parse()
        .context("ATLASHUB_STORAGE_URL cannot be read")?;
    let url = match config.storage.presign {
        Presign::On => url,
        Presign::Off => url.without_links(),
    };
    Storage::open(&url, Credentials::read(config::variable)?.as_ref())
        .context("cannot open the object store, see ATLASHUB_STORAGE_URL")
}

/// Where a file of the data folder lies.
#[must_use]
pub(crate) fn master_key_file(config: &Config) -> PathBuf {
    config.data_dir.0.join(MASTER_KEY_FILE)
}
