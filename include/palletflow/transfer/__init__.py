"""Puts files on the servers of networks over FTP, FTPS and SFTP, whole and under names of their own."""
