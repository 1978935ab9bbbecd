//! A thread of ours inside the server.

use std::ffi::{c_char, c_void};
use std::io;
use std::mem::{MaybeUninit, transmute};
use std::ptr::{self, NonNull};
use std::thread::{Builder, JoinHandle};

use strongroom_plugin_abi::symbols;

/// A thread that receives no signals and is known to the server's library.
///
/// The server handles signals on one thread of its own and blocks them on its main thread only after plugins have been
/// loaded, so a thread started here must begin with all of them blocked, or it would take a signal meant for the
/// server.
#[derive(Debug)]
pub struct ServerThread(JoinHandle<()>);

impl ServerThread {
    /// Starts `work` on a thread of its own. `name` is what `ps` and debuggers show, at most 15 bytes of it.
    ///
    /// # Errors
    /// The system has no thread left to give.
    pub fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        // A new thread inherits the mask of its maker, so there is no moment at which it could take a signal.
        let mask = block_all_signals()?;
        let thread = Builder::new().name(name.to_owned()).spawn(move || {
            let _membership = Membership::join();
            work();
        });
        restore_signals(&mask);
        thread.map(Self)
    }

    /// Waits until the thread has ended.
    pub fn join(self) {
        // A panic has been reported on standard error by the thread itself, and the thread is gone either way.
        let _ = self.0.join();
    }
}

fn block_all_signals() -> io::Result<libc::sigset_t> {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both places are ours; `sigfillset` initialises the first, and `pthread_sigmask` reads it and initialises
    // the second when it succeeds.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        match libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) {
            0 => Ok(before.assume_init()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

fn restore_signals(mask: &libc::sigset_t) {
    // SAFETY: `mask` is a signal set that the system gave us, and a null pointer says that the present one is not
    // wanted.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, ptr::null_mut()) };
}

/// The thread's entry in the server's own book of threads, which its locks and its error log may want to find.
struct Membership;

impl Membership {
    fn join() -> Self {
        if let Some(function) = symbols::find(c"my_thread_init") {
            // SAFETY: the symbol is a function of this type in every server, and any thread may call it.
            unsafe { transmute::<NonNull<c_void>, unsafe extern "C" fn() -> c_char>(function)() };
        }
        Self
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        if let Some(function) = symbols::find(c"my_thread_end") {
            // SAFETY: the symbol is a function of this type in every server, and ends what `my_thread_init` began on
            // this thread.
            unsafe { transmute::<NonNull<c_void>, unsafe extern "C" fn()>(function)() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocked_signals() -> String {
        let status = std::fs::read_to_string("/proc/thread-self/status").expect("procfs");
        let line = status.lines().find(|line| line.starts_with("SigBlk:")).expect("a signal mask");
        line.trim_start_matches("SigBlk:").trim().to_owned()
    }

    #[test]
    fn the_thread_blocks_every_signal_and_its_maker_does_not() {
        let before = blocked_signals();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = ServerThread::start("test", move || {
            let _ = tell.send(blocked_signals());
        })
        .expect("a thread");
        let mask = u64::from_str_radix(&told.recv().expect("the mask"), 16).expect("hex");
        thread.join();
        for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGINT, libc::SIGALRM, libc::SIGUSR1, libc::SIGCHLD]
        {
            assert!(mask & (1 << (signal - 1)) != 0, "signal {signal} is not blocked");
        }
        assert_eq!(blocked_signals(), before);
    }
}
