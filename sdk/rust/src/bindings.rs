//! Bindings made from the WIT by wit-bindgen: one module for what a plugin
//! imports, one for each thing that it may export. A component contains only
//! the imports that it really uses.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated code"
)]

/// Everything that the host offers.
pub mod imports {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "atlashub:plugin/imports",
        generate_all,
        runtime_path: "::atlashub_sdk::__private::wit_bindgen::rt",
    });
}

/// The handler of requests.
pub mod handler {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package atlashub:sdk-handler;
            world handler {
                export wasi:http/incoming-handler@0.2.12;
            }
        ",
        world: "atlashub:sdk-handler/handler",
        with: {
            "wasi:io/error@0.2.12": ::atlashub_sdk::bindings::imports::wasi::io::error,
            "wasi:io/poll@0.2.12": ::atlashub_sdk::bindings::imports::wasi::io::poll,
            "wasi:io/streams@0.2.12": ::atlashub_sdk::bindings::imports::wasi::io::streams,
            "wasi:clocks/monotonic-clock@0.2.12":
                ::atlashub_sdk::bindings::imports::wasi::clocks::monotonic_clock,
            "wasi:http/types@0.2.12": ::atlashub_sdk::bindings::imports::wasi::http::types,
            "wasi:http/incoming-handler@0.2.12": generate,
        },
        pub_export_macro: true,
        export_macro_name: "export_handler",
        default_bindings_module: "::atlashub_sdk::bindings::handler",
        runtime_path: "::atlashub_sdk::__private::wit_bindgen::rt",
    });
}

/// The hooks that tell of being switched on and off.
pub mod lifecycle {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package atlashub:sdk-lifecycle;
            world lifecycle {
                export atlashub:lifecycle/hooks@0.1.0;
            }
        ",
        world: "atlashub:sdk-lifecycle/lifecycle",
        with: { "atlashub:lifecycle/hooks@0.1.0": generate },
        pub_export_macro: true,
        export_macro_name: "export_lifecycle",
        default_bindings_module: "::atlashub_sdk::bindings::lifecycle",
        runtime_path: "::atlashub_sdk::__private::wit_bindgen::rt",
    });
}

/// What is asked about objects.
pub mod check {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package atlashub:sdk-check;
            world check {
                export atlashub:check/records@0.1.0;
            }
        ",
        world: "atlashub:sdk-check/check",
        with: { "atlashub:check/records@0.1.0": generate },
        pub_export_macro: true,
        export_macro_name: "export_check",
        default_bindings_module: "::atlashub_sdk::bindings::check",
        runtime_path: "::atlashub_sdk::__private::wit_bindgen::rt",
    });
}

/// The handler of jobs.
pub mod job_handler {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package atlashub:sdk-job-handler;
            world job-handler {
                export atlashub:jobs/handler@0.1.0;
            }
        ",
        world: "atlashub:sdk-job-handler/job-handler",
        with: { "atlashub:jobs/handler@0.1.0": generate },
        pub_export_macro: true,
        export_macro_name: "export_job_handler",
        default_bindings_module: "::atlashub_sdk::bindings::job_handler",
        runtime_path: "::atlashub_sdk::__private::wit_bindgen::rt",
    });
}

/// The handler of events.
pub mod event_handler {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package atlashub:sdk-event-handler;
            world event-handler {
                export atlashub:events/handler@0.1.0;
            }
        ",
        world: "atlashub:sdk-event-handler/event-handler",
        with: { "atlashub:events/handler@0.1.0": generate },
        pub_export_macro: true,
        export_macro_name: "export_event_handler",
        default_bindings_module: "::atlashub_sdk::bindings::event_handler",
        runtime_path: "::atlashub_sdk::__private::wit_bindgen::rt",
    });
}
