//! What the machine's processors can verify of passwords when they do nothing
//! else: argon2id with the server's parameters, a thread for each of them.
//! Prints how many a second.
//!
//! `argon2_alone <seconds>`

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use std::time::{Duration, Instant};

const PASSWORD: &[u8] = b"correct horse battery";

fn main() -> anyhow::Result<()> {
    let seconds = std::env::args().nth(1);
    let seconds = seconds.as_deref().unwrap_or("5").parse()?;
    let threads = std::thread::available_parallelism()?.get();
    let begun = Instant::now();
    let end = begun + Duration::from_secs(seconds);
    let counts: Vec<anyhow::Result<u32>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|_| scope.spawn(move || verify_until(end)))
            .collect();
        let joined = threads.into_iter().map(|thread| {
            let failed = |_| anyhow::anyhow!("a thread has panicked");
            thread.join().map_err(failed).flatten()
        });
        joined.collect()
    });
    let mut all = 0_u32;
    for count in counts {
        all += count?;
    }
    println!("{:.2}", f64::from(all) / begun.elapsed().as_secs_f64());
    Ok(())
}

fn verify_until(end: Instant) -> anyhow::Result<u32> {
    let failed = |error: argon2::password_hash::Error| anyhow::anyhow!("{error}");
    let params = Params::new(19 * 1_024, 2, 1, None).map_err(|error| anyhow::anyhow!("{error}"))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let kept = argon2.hash_password_with_salt(PASSWORD, &[7; 16]);
    let kept = kept.map_err(failed)?.to_string();
    let mut count = 0;
    while Instant::now() < end {
        argon2
            .verify_password(PASSWORD, kept.as_str())
            .map_err(failed)?;
        count += 1;
    }
    Ok(count)
}
