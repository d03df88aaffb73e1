//! A call as plain as ractor_cluster has it: TCP, and an actor that answers with bytes.

use crate::{
    ANSWER_BYTES, COOKIE,
    process::{Pair, Process, input, obey},
};
use ractor::{
    Actor, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort,
    message::{BoxedDowncastErr, SerializedMessage},
};
use ractor_cluster::{NodeServer, client_connect};
use std::{net::TcpListener, time::Duration};

pub fn start(workers: usize) -> Pair {
    let port = |()| TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port().to_string();
    let ports = [(), ()].map(port);
    let mut processes = [("a", &ports[0]), ("b", &ports[1])].map(|(name, port)| Process::start(workers, &["bare", name, port]));
    for process in &mut processes {
        assert_eq!(process.line(), "listens");
    }
    processes[0].tell(&format!("127.0.0.1:{}", ports[1]));
    processes[1].tell("none");
    for process in &mut processes {
        assert_eq!(process.line(), "ready");
    }
    let [asks, answers] = processes;
    Pair { asks, answers, _kept: Box::new(()) }
}

/// As plain as a message of ractor_cluster can be.
struct Plain(Vec<u8>, RpcReplyPort<Vec<u8>>);

impl ractor::Message for Plain {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        Ok(SerializedMessage::Call { variant: "call".to_owned(), args: self.0, reply: self.1, metadata: None })
    }

    fn deserialize(message: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        match message {
            SerializedMessage::Call { args, reply, .. } => Ok(Self(args, reply)),
            _ => Err(BoxedDowncastErr),
        }
    }
}

struct PlainPort;

impl Actor for PlainPort {
    type Msg = Plain;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Plain>, (): ()) -> Result<(), ActorProcessingErr> {
        ractor::pg::join("plain".to_owned(), vec![myself.get_cell()]);
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Plain>, Plain(_, reply): Plain, (): &mut ()) -> Result<(), ActorProcessingErr> {
        let _ = reply.send(vec![b'x'; ANSWER_BYTES]);
        Ok(())
    }
}

pub async fn run(name: &str, port: &str) {
    let server = NodeServer::new(port.parse().expect("a port"), COOKIE.to_owned(), name.to_owned(), name.to_owned(), None, None);
    let (server, _) = Actor::spawn(None, server.with_listen_addr([127, 0, 0, 1].into()), ()).await.expect("a server");
    Actor::spawn(None, PlainPort, ()).await.expect("a port");
    println!("listens");
    let other = input().await;
    if other != "none" {
        client_connect(&server, other).await.expect("a connection");
    }
    let remote = loop {
        let members = ractor::pg::get_members(&"plain".to_owned());
        if let Some(cell) = members.into_iter().find(|cell| matches!(cell.get_id(), ActorId::Remote { .. })) {
            break ActorRef::<Plain>::from(cell);
        }
        tokio::task::yield_now().await;
    };
    obey(move || {
        let remote = remote.clone();
        async move {
            let answer = remote.call(|reply| Plain(vec![1; 60], reply), Some(Duration::from_secs(6))).await;
            answer.is_ok_and(|answer| answer.is_success())
        }
    })
    .await;
}
