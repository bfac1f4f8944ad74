//! An address with both its ports, and a node at one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use alloy_rlp::Encodable;
use bytes::BytesMut;

use crate::node::NodeRecord;
use crate::rlp::{Reader, RlpError, write_list};

/// `[ip, udp-port, tcp-port]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Four or sixteen bytes on the wire. An empty string, which nodes send that do not know their address,
    /// is read as `0.0.0.0`.
    pub address: IpAddr,
    /// Discovery.
    pub udp_port: u16,
    /// RLPx; 0 if unknown.
    pub tcp_port: u16,
}

// === impl Endpoint ===

impl Endpoint {
    /// The endpoint whose discovery speaks from `udp`.
    pub fn new(udp: SocketAddr, tcp_port: u16) -> Self {
        Self { address: udp.ip().to_canonical(), udp_port: udp.port(), tcp_port }
    }

    /// Where discovery is spoken.
    pub fn udp_addr(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.udp_port)
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        write_list(out, |out| self.write_items(out));
    }

    fn write_items(&self, out: &mut BytesMut) {
        match self.address {
            IpAddr::V4(address) => address.octets().encode(out),
            IpAddr::V6(address) => address.octets().encode(out),
        }
        self.udp_port.encode(out);
        self.tcp_port.encode(out);
    }

    pub(super) fn read(list: &mut Reader<'_>, field: &'static str) -> Result<Self, RlpError> {
        Self::read_items(&mut list.list(field)?)
    }

    fn read_items(list: &mut Reader<'_>) -> Result<Self, RlpError> {
        Ok(Self {
            address: address(list.string("ip")?)?,
            udp_port: list.value("udp-port")?,
            tcp_port: list.value("tcp-port")?,
        })
    }
}

/// `[ip, udp-port, tcp-port, id]`
pub(super) fn write_node(out: &mut BytesMut, node: &NodeRecord) {
    let NodeRecord { id, address, tcp_port, udp_port } = *node;
    write_list(out, |out| {
        Endpoint { address, udp_port, tcp_port }.write_items(out);
        id.encode(out);
    });
}

/// `[ip, udp-port, tcp-port, id]`
pub(super) fn read_node(list: &mut Reader<'_>) -> Result<NodeRecord, RlpError> {
    let mut list = list.list("node")?;
    let Endpoint { address, udp_port, tcp_port } = Endpoint::read_items(&mut list)?;
    Ok(NodeRecord { id: list.value("id")?, address: address.to_canonical(), tcp_port, udp_port })
}

fn address(bytes: &[u8]) -> Result<IpAddr, RlpError> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Ok(v4.into());
    }
    if let Ok(v6) = <[u8; 16]>::try_from(bytes) {
        return Ok(v6.into());
    }
    if bytes.is_empty() {
        return Ok(Ipv4Addr::UNSPECIFIED.into());
    }
    Err(RlpError::Length { field: "ip", length: bytes.len() })
}
