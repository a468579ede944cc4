#!/usr/bin/env escript
%% Erlang: processes. The same protocol as serving.py.
-mode(compile).

main(_) ->
    Release = erlang:system_info(otp_release),
    io:format("ready ~s tell ask ring fan spawn crash~n", [Release]),
    serve().

serve() ->
    case io:get_line("") of
        eof -> ok;
        Line ->
            [Name, Count] = string:tokens(string:trim(Line), " "),
            N = list_to_integer(Count),
            Seconds = try run(Name, N)
                      catch Class:Error -> {failed, Class, Error} end,
            case Seconds of
                {failed, C, E} -> io:format("failed ~p: ~0p~n", [C, E]);
                _ -> io:format("~.9f~n", [Seconds])
            end,
            serve()
    end.

now_s() -> erlang:monotonic_time(nanosecond) / 1.0e9.

echo() ->
    receive
        {ask, From, Message} -> From ! {answer, Message}, echo();
        crash -> exit(on_request);
        stop -> ok;
        _ -> echo()
    end.

ask(Pid, Message) ->
    Pid ! {ask, self(), Message},
    receive {answer, Answer} -> Answer end.

run("tell", N) ->
    Pid = spawn(fun echo/0),
    Payload = <<0:512>>,
    Began = now_s(),
    [Pid ! Payload || _ <- lists:seq(1, N)],
    ask(Pid, Payload),
    Took = now_s() - Began,
    Pid ! stop,
    Took;
run("ask", N) ->
    Pid = spawn(fun echo/0),
    Payload = <<0:512>>,
    Began = now_s(),
    [ask(Pid, Payload) || _ <- lists:seq(1, N)],
    Took = now_s() - Began,
    Pid ! stop,
    Took;
run("ring", N) ->
    Me = self(),
    Nodes = [spawn(fun() -> node_start(Me) end) || _ <- lists:seq(1, 100)],
    Following = tl(Nodes) ++ [hd(Nodes)],
    lists:foreach(fun({Node, Next}) -> Node ! {next, Next} end,
                  lists:zip(Nodes, Following)),
    Began = now_s(),
    hd(Nodes) ! N,
    receive done -> ok end,
    Took = now_s() - Began,
    [Node ! stop || Node <- Nodes],
    Took;
run("fan", N) ->
    Me = self(),
    Leaves = [spawn(fun() -> leaf(Me) end) || _ <- lists:seq(1, 100)],
    Rounds = max(1, N div 100),
    Began = now_s(),
    lists:foreach(fun(_) ->
        [Leaf ! message || Leaf <- Leaves],
        [receive handled -> ok end || _ <- Leaves]
    end, lists:seq(1, Rounds)),
    Took = now_s() - Began,
    [Leaf ! stop || Leaf <- Leaves],
    Took * N / (Rounds * 100);
run("spawn", N) ->
    Began = now_s(),
    Pids = [spawn(fun echo/0) || _ <- lists:seq(1, N)],
    ask(lists:last(Pids), y),
    Took = now_s() - Began,
    [Pid ! stop || Pid <- Pids],
    Took;
run("crash", N) ->
    Me = self(),
    Supervisor = spawn(fun() -> process_flag(trap_exit, true), supervise(Me) end),
    First = receive {started, Pid} -> Pid end,
    Began = now_s(),
    lists:foldl(fun(_, Child) ->
        Child ! crash,
        receive {started, Next} -> ask(Next, y), Next end
    end, First, lists:seq(1, N)),
    Took = now_s() - Began,
    exit(Supervisor, kill),
    Took.

supervise(Owner) ->
    Pid = spawn_link(fun echo/0),
    Owner ! {started, Pid},
    receive {'EXIT', Pid, _} -> supervise(Owner) end.

node_start(Owner) -> receive {next, Next} -> node_loop(Owner, Next) end.

node_loop(Owner, Next) ->
    receive
        stop -> ok;
        0 -> Owner ! done, node_loop(Owner, Next);
        N -> Next ! (N - 1), node_loop(Owner, Next)
    end.

leaf(Owner) ->
    receive
        stop -> ok;
        message -> Owner ! handled, leaf(Owner)
    end.
