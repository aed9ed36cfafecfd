//! Names to addresses: a host name comes in, all its addresses go out. Behind a trait, so that tests can play a name
//! server that lies.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Looks names up.
pub trait Resolve: Send + Sync + 'static {
    /// All addresses of `host`, in the order in which they are to be tried.
    ///
    /// # Errors
    /// When the name has none, or none could be got.
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// Most names that the system looks up at a time. A look-up takes a thread until it ends, also when nobody waits for
/// it any more, and whoever names slow names must not take all of them.
const MAX_LOOKUPS: usize = 64;

/// The system's own way, the file of hosts included.
#[derive(Clone, Debug)]
pub struct SystemResolver {
    permits: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(MAX_LOOKUPS)) }
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let permit = self.permits.clone().acquire_owned().await.map_err(io::Error::other)?;
            let host = host.to_owned();
            let look_up = move || {
                let _permit = permit;
                Ok((host.as_str(), 0).to_socket_addrs()?.map(|found| found.ip()).collect())
            };
            spawn_blocking(look_up).await.map_err(io::Error::other)?
        })
    }
}

/// Answers reqwest with addresses that were judged already, and looks up nothing, whatever it is asked.
pub(super) struct Pinned(Vec<SocketAddr>);

impl Pinned {
    pub(super) fn new(addresses: Vec<IpAddr>) -> Self {
        // Port 0 stands for the URL's.
        Self(addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect())
    }
}

impl reqwest::dns::Resolve for Pinned {
    fn resolve(&self, _: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let addresses: reqwest::dns::Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(std::future::ready(Ok(addresses)))
    }
}
