//! Names to addresses: a host name comes in, all its addresses go out. Behind a trait, so that tests can play a name
//! server that lies.

use std::io;
use std::net::{IpAddr, SocketAddr};

use futures_util::future::BoxFuture;

/// Looks names up.
pub trait Resolve: Send + Sync + 'static {
    /// All addresses of `host`, in the order in which they are to be tried.
    ///
    /// # Errors
    /// When the name has none, or none could be got.
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The system's own way, the file of hosts included.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(
            async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|found| found.ip()).collect()) },
        )
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
