//! A webservice that runs outside of Kubernetes, as the smallest server that there can be.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    thread,
};

/// A webservice at an address of this machine, which says this to whoever asks, until the test ends; its port.
///
/// # Panics
/// When the address cannot be listened at.
pub fn webservice(at: Ipv4Addr, says: &'static str) -> u16 {
    let listener = TcpListener::bind((at, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                let length = says.len();
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all(format!("{head}{says}").as_bytes());
            });
        }
    });
    port
}
