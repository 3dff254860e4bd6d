import dns,os,time,socket
from dns import ask, query

def test_forward(proxy, upstream):
    print(proxy.memory())
    r = ask(query("example.com"))
    assert r.rcode == 0 and r.an == 1
    print(proxy.memory())
    for i in range(300): ask(query("a%d.example.com"%i))
    print(proxy.memory())
    s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.connect(("127.0.0.1",15353))
    l=[]
    for i in range(2000):
        t=time.perf_counter(); s.send(query("b.example.com")); s.recv(4096); l.append(time.perf_counter()-t)
    l.sort(); print("p50 %.0f us p99 %.0f"%(l[1000]*1e6,l[1980]*1e6))
    s.connect(upstream.address); l=[]
    for i in range(2000):
        t=time.perf_counter(); s.send(query("b.example.com")); s.recv(4096); l.append(time.perf_counter()-t)
    l.sort(); print("direct p50 %.0f us p99 %.0f"%(l[1000]*1e6,l[1980]*1e6))
    print(open(f"/proc/{proxy.pid}/smaps_rollup").read())
    os.system(f"grep -E 'CapEff|CapBnd|NoNew|Seccomp|Uid|Name' /proc/{proxy.pid}/status; ls -l /proc/{proxy.pid}/fd /proc/{proxy.pid}/root; cat /proc/{proxy.pid}/limits | grep open")
    os.system("awk '/^[0-9a-f]+-/{n=$0} /^Private_Dirty/{if($2>0)print $2,n}' /proc/%d/smaps"%proxy.pid)
