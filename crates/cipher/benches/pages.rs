//! Speed of whole batches of 16 KiB pages on one thread, against AWS-LC and against the machine's own limit.
//!
//! `cargo bench -p strongroom-cipher [-- ROUNDS]`
//!
//! All candidates take turns in every round, each is timed by its thread's CPU time, and ratios are of medians within
//! this one run: absolute speeds of a shared machine mean little. Every page has a fresh initialisation vector.
//!
//! Intel's ipsec-mb takes part where its library, its header and a C compiler are found (Debian's `libipsec-mb-dev`;
//! `IPSEC_MB=FOLDER` names where its packages were unpacked).

mod ipsec_mb;

use std::hint::black_box;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use rustix::time::{ClockId, clock_gettime};
use strongroom_cipher::cbc::{CbcDecrypt, Ending};
use strongroom_cipher::ctr::Ctr;
use strongroom_cipher::gcm::GcmEncrypt;
use strongroom_cipher::pages::{self, Page, PageKey, Rule};
use strongroom_cipher::{AesEncrypt, Backend, Buffer, Iv, ecb};

const PAGE_BYTES: usize = 16 * 1024;
const PAGES: usize = 256;
const PAGE_ALIGNMENT: usize = 4096;
/// What InnoDB leaves readable in front.
const HEADER_BYTES: usize = 38;
const ROUNDS: usize = 21;
/// Seconds that a candidate works each time it is its turn.
const SAMPLE_SECONDS: f64 = 0.02;
const KEY: [u8; 32] = [0x42; 32];

/// Work on the memory of all pages, for the time of this number.
type Run = Box<dyn FnMut(&mut [u8], usize)>;

/// Something to time.
struct Candidate {
    name: String,
    run: Run,
    bytes: usize,
    runs: usize,
    seconds: Vec<f64>,
}

impl Candidate {
    /// Adds the mean of [`SAMPLE_SECONDS`]. What was timed before has left its own code and data in the caches and slowed the
    /// clock or not, so the first run is not counted.
    fn sample(&mut self, memory: &mut [u8]) {
        let mut run = || {
            (self.run)(black_box(memory), self.runs);
            self.runs += 1;
        };
        run();
        let (start, mut count) = (cpu_seconds(), 0);
        let seconds = loop {
            run();
            count += 1;
            let seconds = cpu_seconds() - start;
            if seconds >= SAMPLE_SECONDS {
                break seconds;
            }
        };
        self.seconds.push(seconds / f64::from(count));
    }
}

struct Bench {
    candidates: Vec<Candidate>,
}

impl Bench {
    fn add(&mut self, name: impl Into<String>, bytes: usize, run: impl FnMut(&mut [u8], usize) + 'static) {
        let candidate =
            Candidate { name: name.into(), run: Box::new(run), bytes, runs: 0, seconds: Vec::new() };
        self.candidates.push(candidate);
    }

    /// Median speed in bytes a second.
    fn speed(&self, name: &str) -> Option<f64> {
        let candidate = self.candidates.iter().find(|candidate| candidate.name == name)?;
        let mut seconds = candidate.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        Some(candidate.bytes as f64 / seconds[seconds.len() / 2])
    }
}

fn cpu_seconds() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

fn iv(round: usize, page: usize) -> Iv {
    ((round as u128) << 64 | page as u128).to_be_bytes()
}

/// A batch over contiguous, page-aligned pages in place, without their headers.
fn batch(
    memory: &mut [u8],
    round: usize,
    keys: &[PageKey],
    work: impl Fn(&mut [Page<'_>]) -> Result<(), strongroom_cipher::CipherError>,
) {
    let mut batch: Vec<Page<'_>> = memory
        .chunks_exact_mut(PAGE_BYTES)
        .enumerate()
        .map(|(at, page)| Page {
            key: &keys[at % keys.len()],
            iv: iv(round, at),
            data: Buffer::InPlace(&mut page[HEADER_BYTES..]),
        })
        .collect();
    work(&mut batch).expect("a page's length fits its rule");
}

fn unbound(key: &[u8; 32]) -> UnboundCipherKey {
    UnboundCipherKey::new(&AES_256, key).expect("32 bytes")
}

/// The page's whole blocks.
fn body(page: &mut [u8]) -> &mut [u8] {
    let whole = (PAGE_BYTES - HEADER_BYTES) / 16 * 16;
    &mut page[HEADER_BYTES..HEADER_BYTES + whole]
}

fn main() {
    let rounds = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(ROUNDS);
    let mut bench = Bench { candidates: Vec::new() };
    let all = PAGES * (PAGE_BYTES - HEADER_BYTES);

    let key = EncryptingKey::cbc(unbound(&KEY)).expect("a key");
    bench.add("aws-lc cbc encrypt", all, move |memory, round| {
        for (at, page) in memory.chunks_exact_mut(PAGE_BYTES).enumerate() {
            let context = || EncryptionContext::Iv128(FixedLength::from(iv(round, at)));
            key.less_safe_encrypt(body(page), context()).expect("encrypts");
            key.less_safe_encrypt(&mut page[PAGE_BYTES - 32..], context()).expect("encrypts");
        }
    });
    let key = DecryptingKey::cbc(unbound(&KEY)).expect("a key");
    bench.add("aws-lc cbc decrypt", all, move |memory, round| {
        for (at, page) in memory.chunks_exact_mut(PAGE_BYTES).enumerate() {
            let context = || DecryptionContext::Iv128(FixedLength::from(iv(round, at)));
            key.decrypt(&mut page[PAGE_BYTES - 32..], context()).expect("decrypts");
            key.decrypt(body(page), context()).expect("decrypts");
        }
    });
    let key = EncryptingKey::ctr(unbound(&KEY)).expect("a key");
    bench.add("aws-lc ctr", all, move |memory, round| {
        for (at, page) in memory.chunks_exact_mut(PAGE_BYTES).enumerate() {
            let context = EncryptionContext::Iv128(FixedLength::from(iv(round, at)));
            key.less_safe_encrypt(&mut page[HEADER_BYTES..], context).expect("encrypts");
        }
    });
    for name in ["aws-lc gcm", "aws-lc gcm, key per page"] {
        let key = || LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &KEY).expect("a key"));
        let kept = (name == "aws-lc gcm").then(key);
        bench.add(name, all, move |memory, round| {
            for (at, page) in memory.chunks_exact_mut(PAGE_BYTES).enumerate() {
                let iv = iv(round, at);
                let nonce = Nonce::try_assume_unique_for_key(&iv[..12]).expect("12 bytes");
                let made = kept.is_none().then(key);
                let key = kept.as_ref().or(made.as_ref()).expect("one of the two");
                let page = &mut page[HEADER_BYTES..];
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&iv[12..]), page).expect("seals");
                black_box(tag.as_ref());
            }
        });
    }

    match ipsec_mb::load(&KEY) {
        Ok(peer) => {
            let work = move |memory: &mut [u8], round| {
                let ivs: Vec<Iv> = (0..PAGES).map(|at| iv(round, at)).collect();
                peer.encrypt(&mut memory[HEADER_BYTES..], PAGE_BYTES, PAGE_BYTES - HEADER_BYTES, &ivs);
            };
            let (mut theirs, mut ours) = (vec![3; PAGES * PAGE_BYTES], vec![3; PAGES * PAGE_BYTES]);
            work(&mut theirs, 0);
            let key = [PageKey::new(&KEY).expect("a key")];
            batch(&mut ours, 0, &key, |pages| pages::encrypt(Rule::InnoDb, pages));
            assert!(theirs == ours, "ipsec-mb encrypts otherwise");
            bench.add("ipsec-mb cbc encrypt", all, work);
        }
        Err(why) => eprintln!("pages: NOT compared with ipsec-mb: {why}"),
    }

    let backends: Vec<Backend> = Backend::ALL.into_iter().filter(|backend| backend.is_available()).collect();
    for &backend in &backends {
        let one = || vec![PageKey::with_backend(&KEY, backend).expect("a key")];
        let aes = AesEncrypt::with_backend(&KEY, backend).expect("a key");
        bench.add(format!("{backend:?} ecb"), PAGES * PAGE_BYTES, move |memory, _| {
            ecb::encrypt_blocks(&aes, memory).expect("whole blocks");
        });
        let key = one();
        bench.add(format!("{backend:?} cbc encrypt"), all, move |memory, round| {
            batch(memory, round, &key, |pages| pages::encrypt(Rule::InnoDb, pages));
        });
        bench.add(format!("{backend:?} cbc encrypt, key per page"), all, move |memory, round| {
            // Expanding the keys is part of it.
            let keys: Vec<PageKey> = (0..PAGES)
                .map(|at| PageKey::with_backend(&[at as u8; 32], backend).expect("a key"))
                .collect();
            batch(memory, round, &keys, |pages| pages::encrypt(Rule::InnoDb, pages));
        });
        let key = one();
        bench.add(format!("{backend:?} cbc encrypt, 64 pages"), all, move |memory, round| {
            for memory in memory.chunks_exact_mut(64 * PAGE_BYTES) {
                batch(memory, round, &key, |pages| pages::encrypt(Rule::InnoDb, pages));
            }
        });
        let key = one();
        bench.add(format!("{backend:?} cbc decrypt"), all, move |memory, round| {
            batch(memory, round, &key, |pages| pages::decrypt(Rule::InnoDb, pages));
        });
        let key = one();
        bench.add(format!("{backend:?} ctr"), all, move |memory, round| {
            batch(memory, round, &key, pages::apply_ctr);
        });
    }

    // One page through a context made for it, as MariaDB does with every page and log record.
    let mut out = vec![0; PAGE_BYTES];
    bench.add("context ctr", all, move |memory, round| {
        for (at, page) in memory.chunks_exact(PAGE_BYTES).enumerate() {
            let mut context = Ctr::new(&KEY[..16], &iv(round, at)).expect("a key");
            context.update(&page[HEADER_BYTES..], &mut out).expect("fits");
        }
        black_box(&mut out);
    });
    let mut out = vec![0; PAGE_BYTES];
    bench.add("context cbc decrypt", all, move |memory, round| {
        for (at, page) in memory.chunks_exact(PAGE_BYTES).enumerate() {
            let mut context = CbcDecrypt::new(&KEY[..16], &iv(round, at), Ending::Tail).expect("a key");
            let done = context.update(&page[HEADER_BYTES..], &mut out).expect("fits");
            context.finish(&mut out[done..]).expect("fits");
        }
        black_box(&mut out);
    });
    let mut out = vec![0; PAGE_BYTES];
    bench.add("context gcm", all, move |memory, round| {
        for (at, page) in memory.chunks_exact(PAGE_BYTES).enumerate() {
            let mut context = GcmEncrypt::new(&KEY, &iv(round, at)).expect("a key");
            let done = context.update(&page[HEADER_BYTES..], &mut out).expect("fits");
            context.finish(&mut out[done..]).expect("fits");
        }
        black_box(&mut out);
    });
    const SETUPS: usize = 10_000;
    bench.add("context set-up", SETUPS, move |_, round| {
        for at in 0..SETUPS {
            black_box(Ctr::new(black_box(&KEY[..16]), &iv(round, at)).expect("a key"));
        }
    });

    let mut memory = vec![0x5A; PAGES * PAGE_BYTES + PAGE_ALIGNMENT];
    let offset = memory.as_ptr().align_offset(PAGE_ALIGNMENT);
    let memory = &mut memory[offset..offset + PAGES * PAGE_BYTES];
    for _ in 0..rounds {
        for candidate in &mut bench.candidates {
            candidate.sample(memory);
        }
    }
    report(&bench, &backends, rounds);
}

fn report(bench: &Bench, backends: &[Backend], rounds: usize) {
    println!("{PAGES} contiguous pages of {PAGE_BYTES} bytes in place, AES-256, medians of {rounds} rounds");
    println!("{:<44} {:>7}", "", "GB/s");
    for candidate in &bench.candidates {
        let speed = bench.speed(&candidate.name).unwrap_or(f64::NAN);
        if candidate.name == "context set-up" {
            println!("{:<44} {:>7.1} ns", candidate.name, 1e9 / speed);
        } else {
            println!("{:<44} {:>7.2}", candidate.name, speed * 1e-9);
        }
    }
    println!("\n{:<44} {:>9} {:>9}", "ratios", "to aws-lc", "to ecb");
    let ipsec_mb = bench.speed("ipsec-mb cbc encrypt");
    for backend in backends {
        let ecb = bench.speed(&format!("{backend:?} ecb"));
        for (work, peer) in [
            ("cbc encrypt", "cbc encrypt"),
            ("cbc encrypt, key per page", "cbc encrypt"),
            ("cbc encrypt, 64 pages", "cbc encrypt"),
            ("cbc decrypt", "cbc decrypt"),
            ("ctr", "ctr"),
        ] {
            let name = format!("{backend:?} {work}");
            let (ours, peer) = (bench.speed(&name), bench.speed(&format!("aws-lc {peer}")));
            if let (Some(ours), Some(peer), Some(ecb)) = (ours, peer, ecb) {
                println!("{name:<44} {:>8.2}x {:>8.0}%", ours / peer, 100.0 * ours / ecb);
            }
            if let (Some(ours), Some(ipsec_mb), "cbc encrypt") = (ours, ipsec_mb, work) {
                println!("{:<44} {:>8.2}x", format!("{name}, to ipsec-mb"), ours / ipsec_mb);
            }
        }
    }
}
