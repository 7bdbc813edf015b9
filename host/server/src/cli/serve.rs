//! `atlashub serve`: runs a node until it is asked to end.

use crate::{
    assemble,
    config::{Config, ConfigArgs},
    entry::Entry,
    gateway::Gateway,
    host::Host,
    listen, resident,
    state::{HostState, Shared},
    store_origins,
    telemetry::{self, Measurements, Telemetry},
};
use anyhow::Context as _;
use clap::Args;
use std::{process::ExitCode, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Time that background tasks get to end.
const LAST_TASKS: Duration = Duration::from_secs(5);

/// Flags of `serve`.
#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the node.
///
/// # Errors
/// When a setting is wrong or a part cannot be opened.
pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config)?;
    let telemetry = Telemetry::start(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")?;
    let outcome = runtime.block_on(serve(config));
    runtime.shutdown_timeout(LAST_TASKS);
    telemetry.flush();
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let measurements = Measurements::install()?;
    // Bound before anything is opened: a second node on the same port must
    // not touch the first one's files.
    let address = config.network.listen;
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: is another program using it? choose another with --listen or ATLASHUB_LISTEN")
    })?;
    let bound = listener
        .local_addr()
        .context("cannot read the listener's address")?;
    for name in &config.unknown {
        tracing::warn!(name, "no such setting: a slip?");
    }
    if config.secrets.dev_admin_token.is_some() {
        tracing::warn!("the development token is accepted: whoever has it is owner");
    }
    let owned = assemble::own_data_folder(&config)?;
    let app = assemble::app(&config).await?;
    measurements.include(app.directory());
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    tasks.spawn(measurements.clone().keep(stop.clone()));
    tasks.spawn(resident::keep_small(stop.clone()));
    if let Some(address) = config.telemetry.metrics_listen {
        let bound =
            telemetry::listen_for_metrics(address, measurements.clone(), stop.clone(), &tasks)
                .await?;
        tracing::info!(address = %bound, "metrics listening");
    }
    let limits = config.limits.clone();
    let state = HostState::new(Shared {
        app: app.clone(),
        proxies: config.network.proxies()?,
        measurements,
        stopping: stop.clone(),
        config: config.clone(),
    });
    let traced = config.telemetry.otlp_endpoint.is_some();
    let entry = Arc::new(Entry::new(
        Gateway::new(
            app.clone(),
            config.network.proxies()?,
            &store_origins::of(&config.storage),
            traced,
        )?,
        Host::new(state, &config),
        traced,
    ));
    tracing::info!(address = %bound, public_url = config.network.public_url(), version = env!("CARGO_PKG_VERSION"), "listening");
    let signal = stop.clone();
    tasks.spawn(async move {
        if signal
            .run_until_cancelled(listen::asked_to_end())
            .await
            .is_some()
        {
            signal.cancel();
        }
    });
    let streams = app.clone();
    let ending = stop.clone();
    tasks.spawn(async move {
        ending.cancelled().await;
        streams.end_streams();
    });
    listen::serve(listener, entry, &limits, stop.clone()).await;
    app.shutdown().await;
    tasks.close();
    if tokio::time::timeout(LAST_TASKS, tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!("some background tasks did not end in time");
    }
    drop(owned);
    tracing::info!("ended");
    Ok(())
}
