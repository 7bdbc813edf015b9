//! What `bindgen!` makes of the WIT contract: one place, so that the other
//! modules name plain Rust traits.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::restriction
)]

mod imports {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "atlashub:plugin/imports",
        imports: {
            "atlashub:identity/caller": trappable,
            "wasi:config/store": trappable,
            "wasi:logging/logging": trappable,
            "atlashub:secret/stand-ins": trappable,
            "atlashub:secret/sealing": trappable,
            "atlashub:users/directory.has-permission": trappable,
            "atlashub:sql/client.get-dialect": trappable,
            "atlashub:sql/client.[drop]transaction": trappable,
            "atlashub:sql/client.[drop]cursor": trappable,
            "atlashub:database/client.get-dialect": trappable,
            "atlashub:database/client.get-schema-version": trappable,
            "atlashub:database/client.[drop]transaction": trappable,
            "atlashub:database/client.[drop]reader": trappable,
            "atlashub:database/client.[drop]writer": trappable,
            "atlashub:blob/objects.serve": async | trappable,
            default: async | trappable,
        },
        require_store_data_send: true,
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "wasi:http": wasmtime_wasi_http::p2::bindings::http,
            "atlashub:sql/client.transaction": crate::host::sql::Transaction,
            "atlashub:sql/client.cursor": crate::host::sql::Cursor,
            "atlashub:database/client.transaction": crate::host::database::Transaction,
            "atlashub:database/client.reader": crate::host::rows::Reader,
            "atlashub:database/client.writer": crate::host::rows::Writer,
            "atlashub:multipart/form.parser": crate::host::multipart::Parser,
        },
    });
}

mod lifecycle {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package atlashub:runtime;
            world lifecycle { export atlashub:lifecycle/hooks@0.1.0; }
        ",
        world: "atlashub:runtime/lifecycle",
        exports: { default: async },
        require_store_data_send: true,
    });
}

mod event_handler {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package atlashub:runtime;
            world event-handler { export atlashub:events/handler@0.1.0; }
        ",
        world: "atlashub:runtime/event-handler",
        exports: { default: async },
        require_store_data_send: true,
    });
}

mod job_handler {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package atlashub:runtime;
            world job-handler { export atlashub:jobs/handler@0.1.0; }
        ",
        world: "atlashub:runtime/job-handler",
        exports: { default: async },
        require_store_data_send: true,
    });
}

mod checking {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package atlashub:runtime;
            world checking { export atlashub:check/records@0.1.0; }
        ",
        world: "atlashub:runtime/checking",
        exports: { default: async },
        require_store_data_send: true,
    });
}

pub use checking::{CheckingIndices, exports::atlashub::check::records as check};
pub use event_handler::{
    EventHandler, EventHandlerIndices, exports::atlashub::events::handler as event,
};
pub use imports::atlashub::{
    audit, blob, channel, database, direct, events, identity, jobs, kv, mail, multipart, secret,
    sign_in, sql, upload, users,
};
pub use imports::wasi::{config, logging};
pub use job_handler::{JobHandler, JobHandlerIndices, exports::atlashub::jobs::handler as job};
pub use lifecycle::LifecycleIndices;
