"""Puts files on the servers of networks over FTP, FTPS and SFTP, whole and under names of their own.

    sessions = Sessions(lambda: sftp.open_session(server), most=2)
    with sessions.session() as session:
        placing.place(session, "60000000017_1.jpg", data, Manner())

A session (session.py) is one login that stays open for many files; a pool (pool.py) keeps a few of them and shares them
among threads; placing.py is the way of one file from nothing to whole.
"""
